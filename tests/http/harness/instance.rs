//! One process of the application, and requests to it.

use cloakroom::audit::ClientIp;
use http::{Request, header};
use tokio::task::JoinHandle;

use super::{Answer, App, gate::Gate};

/// The default cookie's name.
pub(crate) const NAME: &str = "__Host-Http-id";

/// The token of a client without a cookie.
pub(crate) const NOBODY: &str = "";

/// One instance of the application.
#[derive(Clone)]
pub(crate) struct Instance {
    pub(crate) app: App,
}

/// A request with a session cookie, if `token` is any, and steps to do.
pub(crate) fn request(token: &str, steps: &str) -> Request<Vec<u8>> {
    let mut request = Request::post("/do").header(header::HOST, "example.com");
    if token != NOBODY {
        request = request.header(header::COOKIE, format!("{NAME}={token}"));
    }
    request.body(steps.as_bytes().to_vec()).unwrap()
}

impl Instance {
    /// Does `steps` in a request with `token`.
    pub(crate) async fn run(&self, token: &str, steps: &str) -> Answer {
        self.send(request(token, steps)).await
    }

    /// Does `steps` in a request with these `Cookie` lines, as they are.
    pub(crate) async fn run_with_cookies<C: AsRef<[u8]>>(&self, lines: &[C], steps: &str) -> Answer {
        let mut request = request(NOBODY, steps);
        for line in lines {
            request.headers_mut().append(header::COOKIE, line.as_ref().try_into().unwrap());
        }
        self.send(request).await
    }

    /// Does `steps`, none of which concerns the session, on the route that does not touch it.
    pub(crate) async fn run_static(&self, token: &str, steps: &str) -> Answer {
        self.run_on("/static", token, steps).await
    }

    /// Does `steps` on another route than the usual one.
    pub(crate) async fn run_on(&self, path: &str, token: &str, steps: &str) -> Answer {
        let mut request = request(token, steps);
        *request.uri_mut() = path.parse().unwrap();
        self.send(request).await
    }

    /// Gets a path that only one adapter has.
    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        let mut request = request(token, "");
        *request.method_mut() = http::Method::GET;
        *request.uri_mut() = path.parse().unwrap();
        self.send(request).await
    }

    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Answer {
        Answer::of(self.app.call(request).await)
    }

    /// The same from a client of this kind and address.
    pub(crate) async fn run_from(&self, agent: &str, ip: &str, token: &str, steps: &str) -> Answer {
        let mut request = request(token, steps);
        request.headers_mut().insert(header::USER_AGENT, agent.parse().unwrap());
        request.extensions_mut().insert(ClientIp(ip.parse().unwrap()));
        self.send(request).await
    }

    /// Starts a request and answers when it has come to its `hold` step.
    pub(crate) async fn hold(&self, token: &str, steps: &str) -> Held {
        self.hold_request(request(token, steps)).await
    }

    /// The same with a request of the test's own.
    pub(crate) async fn hold_request(&self, mut request: Request<Vec<u8>>) -> Held {
        let gate = Gate::new();
        request.extensions_mut().insert(gate.clone());
        let instance = self.clone();
        let mut task = tokio::spawn(async move { instance.send(request).await });
        tokio::select! {
            () = gate.reached() => {}
            answer = &mut task => panic!("answered before it was to be held: {:?}", answer.unwrap()),
        }
        Held { gate, task }
    }
}

/// A request that waits in the middle of its handler.
#[must_use]
pub(crate) struct Held {
    gate: Gate,
    task: JoinHandle<Answer>,
}

impl Held {
    /// Lets it on, and waits for its answer.
    pub(crate) async fn release(self) -> Answer {
        self.gate.open();
        self.task.await.unwrap()
    }
}
