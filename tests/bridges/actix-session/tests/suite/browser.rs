//! An application on actix-session, and somebody who visits it.

use std::{cell::RefCell, pin::Pin, rc::Rc};

use actix_session::{
    Session, SessionExt as _, SessionMiddleware,
    config::{CookieContentSecurity, PersistentSession, TtlExtensionPolicy},
};
use actix_web::{
    App, HttpRequest,
    cookie::{Cookie, Key, time::Duration},
    guard::fn_guard,
    test,
    web::{Data, Path, get, resource, scope},
};

use crate::backend::Backend;

/// How cookies are protected. Every workflow runs with both.
pub const BOTH: [CookieContentSecurity; 2] = [CookieContentSecurity::Signed, CookieContentSecurity::Private];

pub const LIFE: Duration = Duration::seconds(100);

type Call = Box<dyn Fn(test::TestRequest) -> Pin<Box<dyn Future<Output = Page>>>>;

/// The application.
pub struct Site(Call);

/// The application, for a handler that visits it in the middle of a request.
type Itself = Rc<RefCell<Option<Rc<Site>>>>;

/// A response, as far as it matters here.
pub struct Page {
    pub status: u16,
    pub cookie: Option<Cookie<'static>>,
    pub text: String,
}

impl Page {
    /// The cookie that it sets.
    #[track_caller]
    pub fn ticket(&self) -> Cookie<'static> {
        self.cookie.clone().expect("a cookie")
    }
}

impl Site {
    pub async fn open(backend: &Backend, security: CookieContentSecurity) -> Rc<Self> {
        Self::with(backend, security, TtlExtensionPolicy::OnStateChanges).await
    }

    pub async fn with(
        backend: &Backend,
        security: CookieContentSecurity,
        refresh: TtlExtensionPolicy,
    ) -> Rc<Self> {
        let life = PersistentSession::default().session_ttl(LIFE).session_ttl_extension_policy(refresh);
        let middleware = SessionMiddleware::builder(backend.store.clone(), Key::generate())
            .cookie_name("ticket".to_owned())
            .cookie_content_security(security)
            .session_lifecycle(life)
            .build();
        let itself = Itself::default();
        let signed_in = |guard: &actix_web::guard::GuardContext<'_>| {
            guard.get_session().get::<String>("user").unwrap().is_some()
        };
        let service = App::new()
            .app_data(Data::new(itself.clone()))
            .wrap(middleware)
            .service(resource("/show").route(get().to(show)))
            .service(resource("/count").route(get().to(count)))
            .service(resource("/login/{user}").route(get().to(login)))
            .service(resource("/logout").route(get().to(async |session: Session| {
                session.purge();
                "bye"
            })))
            .service(resource("/slow").route(get().to(slow)))
            .service(
                scope("/private").guard(fn_guard(signed_in)).service(resource("/show").route(get().to(show))),
            );
        let service = Rc::new(test::init_service(service).await);
        let site = Rc::new(Self(Box::new(move |request| {
            let service = Rc::clone(&service);
            Box::pin(async move {
                match test::try_call_service(&*service, request.to_request()).await {
                    Ok(response) => {
                        let cookie = response.response().cookies().next().map(Cookie::into_owned);
                        let status = response.status().as_u16();
                        let text = String::from_utf8(test::read_body(response).await.to_vec()).unwrap();
                        Page { status, cookie, text }
                    }
                    Err(error) => {
                        let status = error.as_response_error().status_code().as_u16();
                        let response = error.error_response();
                        let cookie = response.cookies().next().map(Cookie::into_owned);
                        Page { status: status.max(response.status().as_u16()), cookie, text: String::new() }
                    }
                }
            })
        })));
        *itself.borrow_mut() = Some(Rc::clone(&site));
        site
    }

    /// Gets `path` with this cookie, if it is any.
    pub async fn visit(&self, cookie: Option<&Cookie<'static>>, path: &str) -> Page {
        let mut request = test::TestRequest::get().uri(path);
        if let Some(cookie) = cookie {
            request = request.cookie(cookie.clone());
        }
        (self.0)(request).await
    }
}

async fn show(session: Session) -> String {
    let user: Option<String> = session.get("user").unwrap();
    let count: Option<u64> = session.get("count").unwrap();
    format!("{} {}", user.as_deref().unwrap_or("nobody"), count.unwrap_or(0))
}

async fn count(session: Session) -> String {
    let count = session.get::<u64>("count").unwrap().unwrap_or(0) + 1;
    session.insert("count", count).unwrap();
    show(session).await
}

async fn login(session: Session, user: Path<String>) -> String {
    session.insert("user", user.into_inner()).unwrap();
    session.renew();
    show(session).await
}

/// Changes the session after the same visitor has signed out in another tab.
async fn slow(session: Session, request: HttpRequest, itself: Data<Itself>) -> String {
    let site = itself.borrow().clone().unwrap();
    let cookie = request.cookie("ticket").unwrap();
    assert_eq!(site.visit(Some(&cookie), "/logout").await.status, 200);
    count(session).await
}
