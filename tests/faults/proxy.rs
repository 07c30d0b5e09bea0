//! A connection that can be cut at any byte, frozen, or led to another server.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to Redis.
    Request,
    /// From Redis to the client.
    Reply,
}

/// Ends the connection once `bytes` of one exchange have passed one way. An exchange is what the client
/// sends until Redis has answered, and the answer; they are counted from 1, from the arming on.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub exchange: usize,
    pub way: Way,
    pub bytes: usize,
    /// New connections are closed at once until [`Proxy::come_back`].
    pub stay_away: bool,
}

/// Between a client and Redis, on a loopback port of its own.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

type Hook = Arc<dyn Fn() + Send + Sync>;

struct Shared {
    state: Mutex<State>,
    lines: watch::Sender<Lines>,
}

#[derive(Default)]
struct State {
    upstream: u16,
    cut: Option<Cut>,
    repeat: usize,
    cuts: usize,
    /// Bytes of request and of reply, of each exchange since the arming.
    exchanges: Vec<[usize; 2]>,
    replying: bool,
    away: bool,
    before_each_request: Option<Hook>,
    delay: Duration,
}

/// Connections are numbered; what is below a limit is affected.
#[derive(Clone, Copy, Default)]
struct Lines {
    next: u64,
    frozen_below: u64,
    closed_below: u64,
}

impl Proxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Mutex::new(State { upstream: port, replying: true, ..State::default() });
        let shared = Arc::new(Shared { state, lines: watch::Sender::default() });
        let proxy = Self { port: listener.local_addr().unwrap().port(), shared: Arc::clone(&shared) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let upstream = Some(shared.state()).filter(|state| !state.away).map(|state| state.upstream);
                let Some(upstream) = upstream else { continue };
                let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)).await else { continue };
                let mut number = 0;
                shared.lines.send_modify(|lines| {
                    number = lines.next;
                    lines.next += 1;
                });
                tokio::spawn(serve(client, server, number, Arc::clone(&shared)));
            }
        });
        proxy
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Forgets the exchanges so far, and cuts once.
    pub fn cut(&self, cut: Cut) {
        self.count();
        self.shared.state().cut = Some(cut);
    }

    /// Forgets the exchanges so far, and whatever was still to be cut.
    pub fn count(&self) {
        let mut state = self.shared.state();
        state.cut = None;
        state.repeat = 0;
        state.exchanges.clear();
        state.replying = true;
    }

    /// Bytes of request and of reply, of each exchange since.
    pub fn counted(&self) -> Vec<[usize; 2]> {
        self.shared.state().exchanges.clone()
    }

    pub fn cuts(&self) -> usize {
        self.shared.state().cuts
    }

    /// Cuts this many times alike, each time counting anew.
    pub fn cut_repeatedly(&self, cut: Cut, times: usize) {
        self.cut(cut);
        self.shared.state().repeat = times - 1;
    }

    pub fn come_back(&self) {
        self.shared.state().away = false;
    }

    /// Every connection stays open and nothing passes any more, as when a cable is pulled.
    pub fn freeze(&self) {
        self.shared.lines.send_modify(|lines| lines.frozen_below = u64::MAX);
    }

    /// New connections work; those of before stay as they are, for ever.
    pub fn let_new_ones_through(&self) {
        self.shared.lines.send_modify(|lines| lines.frozen_below = lines.next);
    }

    pub fn thaw(&self) {
        self.shared.lines.send_modify(|lines| lines.frozen_below = 0);
    }

    /// Every piece that passes takes so long, either way.
    pub fn delay(&self, by: Duration) {
        self.shared.state().delay = by;
    }

    /// Another server behind the same address, as after a failover.
    pub fn switch_to(&self, port: u16) {
        self.shared.state().upstream = port;
        self.shared.lines.send_modify(|lines| lines.closed_below = lines.next);
    }

    /// Runs something whenever a request is about to pass.
    pub fn before_each_request(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.shared.state().before_each_request = Some(Arc::new(hook));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// As far away as the other end is.
    async fn travel(&self) {
        let delay = self.state().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// How many of these bytes may pass, and whether the connection ends with them.
    fn pass(&self, way: Way, bytes: usize) -> (usize, bool) {
        let mut state = self.state();
        if way == Way::Request && state.replying {
            state.exchanges.push([0, 0]);
            if let Some(hook) = state.before_each_request.clone() {
                drop(state);
                hook();
                state = self.state();
            }
        }
        state.replying = way == Way::Reply;
        let number = state.exchanges.len();
        let Some(exchange) = state.exchanges.last_mut() else { return (bytes, false) };
        let before = exchange[way as usize];
        exchange[way as usize] += bytes;
        let due = |cut: &Cut| cut.exchange == number && cut.way == way && cut.bytes <= before + bytes;
        let Some(cut) = state.cut.take_if(|cut| due(cut)) else { return (bytes, false) };
        state.cuts += 1;
        if state.repeat > 0 {
            state.repeat -= 1;
            state.exchanges.clear();
            state.replying = true;
            state.cut = Some(cut);
        }
        state.away = cut.stay_away;
        (cut.bytes - before, true)
    }
}

/// So much passes at once: a link that is slow is no narrow one, or what waits before it would only grow.
const PIECE: usize = 1024 * 1024;

/// One task for both ways: to leave it is to close both connections.
async fn serve(mut client: TcpStream, mut server: TcpStream, number: u64, shared: Arc<Shared>) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let mut lines = shared.lines.subscribe();
    let (mut request, mut reply) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let now = *lines.borrow_and_update();
        if number < now.closed_below {
            return;
        }
        let open = number >= now.frozen_below;
        tokio::select! {
            changed = lines.changed() => if changed.is_err() { return },
            read = client.read(&mut request), if open => {
                let Ok(read @ 1..) = read else { return };
                let (pass, end) = shared.pass(Way::Request, read);
                shared.travel().await;
                if server.write_all(&request[..pass]).await.is_err() || end {
                    return;
                }
            }
            read = server.read(&mut reply), if open => {
                let Ok(read @ 1..) = read else { return };
                let (pass, end) = shared.pass(Way::Reply, read);
                shared.travel().await;
                if client.write_all(&reply[..pass]).await.is_err() || end {
                    return;
                }
            }
        }
    }
}
