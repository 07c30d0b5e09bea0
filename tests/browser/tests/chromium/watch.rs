//! What the browser complains about: the console, uncaught exceptions, and what the content security policy blocks.

use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::devtools::{DevTools, Event};

/// Of all tabs of a test.
#[derive(Clone)]
pub struct Watch {
    devtools: DevTools,
    sessions: Arc<Mutex<Vec<String>>>,
}

/// The log alone would do for what it tells; a violation has an event of its own, and that tells all of them.
const VIOLATIONS: &str = "document.addEventListener('securitypolicyviolation', (event) => \
    told(`${event.effectiveDirective} blocks ${event.blockedURI}`));";

impl Watch {
    pub fn new(devtools: &DevTools) -> Self {
        Self { devtools: devtools.clone(), sessions: Arc::default() }
    }

    /// Before the tab shows anything.
    pub async fn follow(&self, session: &str) {
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.devtools.call(session, &format!("{domain}.enable"), json!({})).await;
        }
        self.devtools.call(session, "Page.setLifecycleEventsEnabled", json!({ "enabled": true })).await;
        self.devtools.call(session, "Runtime.addBinding", json!({ "name": "told" })).await;
        let script = json!({ "source": VIOLATIONS });
        self.devtools.call(session, "Page.addScriptToEvaluateOnNewDocument", script).await;
        self.sessions.lock().unwrap().push(session.to_owned());
    }

    /// Everything so far.
    pub fn complaints(&self) -> Vec<String> {
        let sessions = self.sessions.lock().unwrap();
        let events = sessions.iter().flat_map(|session| self.devtools.events(session, 0));
        events.filter_map(|event| complaint(&event)).collect()
    }

    /// For the end of a test.
    pub fn assert_quiet(&self) {
        assert_eq!(self.complaints(), Vec::<String>::new());
    }
}

fn complaint(event: &Event) -> Option<String> {
    let told = match &*event.method {
        // What is no complaint differs from one release to the next.
        "Log.entryAdded"
            if ["verbose", "info"].iter().any(|level| event.params["entry"]["level"] == *level) =>
        {
            return None;
        }
        "Log.entryAdded" => &event.params["entry"],
        "Runtime.consoleAPICalled" => &event.params["args"],
        "Runtime.exceptionThrown" => &event.params["exceptionDetails"],
        "Runtime.bindingCalled" => &event.params["payload"],
        _ => return None,
    };
    Some(format!("{}: {told}", event.method))
}
