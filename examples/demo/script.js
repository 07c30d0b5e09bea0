// Keeps a page up to date while somebody looks at it. Everything on it works without.
"use strict";

(() => {
  const why = document.getElementById("why");
  const list = document.querySelector("[data-feed]");
  const state = document.querySelector("[data-state]");
  const say = (text) => { if (state) state.textContent = text; };

  // The server knows how its sections look: the page is asked for again, and what changed is put in place.
  const LIVE = ["cart", "cart-count", "devices", "trail", "queue", "latency"];
  let timers = [];
  const refresh = async () => {
    const answer = await fetch(location.pathname, { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer || !answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of LIVE) {
      const [old, next] = [document.getElementById(id), fresh.getElementById(id)];
      // Whoever is in the middle of a form keeps it.
      if (!old || !next || old.innerHTML === next.innerHTML) continue;
      if (old.contains(document.activeElement) && document.activeElement.matches("input, select")) continue;
      const focus = old.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
      old.replaceChildren(...next.childNodes);
      if (focus) [...old.querySelectorAll("[aria-label]")].find((e) => e.getAttribute("aria-label") === focus)?.focus();
      old.classList.remove("fresh");
      void old.offsetWidth;
      old.classList.add("fresh");
    }
  };
  // At once, and when the trail has arrived in PostgreSQL.
  const soon = () => {
    timers.forEach(clearTimeout);
    timers = [setTimeout(refresh, 100), setTimeout(refresh, 1500)];
  };

  const line = (change) => {
    if (!list) return;
    const item = document.createElement("li");
    const time = document.createElement("time");
    time.dateTime = new Date(change.at).toISOString();
    time.textContent = new Date(change.at).toLocaleTimeString();
    // Text, never markup: a key may be called anything.
    item.append(time, " ", change.text);
    item.dataset.kind = change.kind;
    list.prepend(item);
    while (list.children.length > 12) list.lastElementChild.remove();
  };

  // Whoever sits down here next reads nothing of it.
  const forget = () => document.querySelectorAll("[data-own]").forEach((element) => element.remove());

  // A browser may keep this page as it is for the back button, in spite of `no-store`, and show it after a sign-out.
  addEventListener("pagehide", (event) => { if (event.persisted) forget(); });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // Tabs with the same session share a stream.
  const { session } = document.querySelector("[data-session]").dataset;
  if (!session) {
    say("Nothing to tell yet: put something into the cart, or sign in.");
    return;
  }

  let opened = false;
  const heard = {
    connecting: () => say("Connecting …"),
    open: () => {
      opened = true;
      say("Connected. Changes appear here as they happen, on whichever device.");
      // What this page itself was asked for with has not arrived in the trail yet.
      timers.push(setTimeout(refresh, 1500));
    },
    change: (data) => { line(JSON.parse(data)); soon(); },
    missed: soon,
    ended: (data) => {
      timers.forEach(clearTimeout);
      why.textContent = `${JSON.parse(data).text} `;
      const again = document.createElement("a");
      again.href = location.pathname;
      again.textContent = "Go on";
      why.append(again);
      why.hidden = false;
      forget();
      why.scrollIntoView({ block: "nearest" });
    },
    // There was a session, and there is none to come back to.
    gone: () => { if (opened) location.reload(); else say("No connection. Reload the page to see what is new."); },
  };
  const feed = self.SharedWorker ? new SharedWorker("/feed.js", session).port : new Worker("/feed.js");
  feed.onmessage = ({ data: [event, data] }) => heard[event](data);
})();
