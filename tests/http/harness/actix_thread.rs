//! A thread for an application that can't leave its own.
//!
//! What actix-web makes is not `Send`, and the tests poll requests by hand and drop them between two
//! polls. So a [`Call`] here is a remote control: to poll it is to have the request polled over there,
//! once, with the test's own waker, and to drop it is to have it dropped there, before either returns.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    task::{Context, Poll, Waker},
    thread,
};

use http::{Request, Response};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::adapter::Call;

/// A request over there.
pub(super) type Local = Pin<Box<dyn Future<Output = Response<Vec<u8>>>>>;

type Polled = thread::Result<Poll<Response<Vec<u8>>>>;

enum Order {
    Start(u64, Box<Request<Vec<u8>>>),
    Poll(u64, Waker, mpsc::Sender<Polled>),
    Drop(u64, mpsc::Sender<()>),
}

/// Ends when nobody can call it any more.
#[derive(Clone)]
pub(super) struct Thread {
    orders: UnboundedSender<Order>,
    count: Arc<AtomicU64>,
}

/// Starts a thread with an actix `System`, and on it the application that `make` makes.
pub(super) fn start<A>(make: impl AsyncFnOnce() -> A + Send + 'static) -> Thread
where
    A: Fn(Request<Vec<u8>>) -> Local,
{
    let (orders, receiver) = unbounded_channel();
    thread::spawn(move || {
        // Between two orders the same thread drives its connections, timers and spawned tasks.
        actix_web::rt::System::new().block_on(async move { obey(receiver, make().await).await });
    });
    Thread { orders, count: Arc::default() }
}

async fn obey(mut orders: UnboundedReceiver<Order>, app: impl Fn(Request<Vec<u8>>) -> Local) {
    let mut requests = HashMap::new();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Start(id, request) => drop(requests.insert(id, app(*request))),
            Order::Poll(id, waker, reply) => {
                let request: &mut Local = requests.get_mut(&id).unwrap();
                let mut cx = Context::from_waker(&waker);
                let _ = reply.send(catch_unwind(AssertUnwindSafe(|| request.as_mut().poll(&mut cx))));
            }
            Order::Drop(id, done) => {
                requests.remove(&id);
                let _ = done.send(());
            }
        }
    }
}

impl Thread {
    pub(super) fn call(&self, request: Request<Vec<u8>>) -> Call {
        let id = self.count.fetch_add(1, Ordering::Relaxed);
        self.orders.send(Order::Start(id, Box::new(request))).expect("the application's thread");
        Box::pin(Remote { thread: self.clone(), id })
    }
}

struct Remote {
    thread: Thread,
    id: u64,
}

impl Future for Remote {
    type Output = Response<Vec<u8>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (reply, polled) = mpsc::channel();
        let order = Order::Poll(self.id, cx.waker().clone(), reply);
        self.thread.orders.send(order).expect("the application's thread");
        polled.recv().expect("the application's thread").unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let (done, dropped) = mpsc::channel();
        if self.thread.orders.send(Order::Drop(self.id, done)).is_ok() {
            let _ = dropped.recv();
        }
    }
}
