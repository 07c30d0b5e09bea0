// The stream of what happens, as one worker has it for all tabs that show the same session: over HTTP/1.1 a browser
// opens six connections to a host, and a stream keeps one. The seventh tab would wait for ever.
"use strict";

const tabs = [];
let state = ["connecting"];
const tell = (message) => tabs.forEach((tab) => tab.postMessage(message));

const feed = new EventSource("/account/events");
feed.addEventListener("change", (event) => tell(["change", event.data]));
feed.addEventListener("missed", () => tell(["missed"]));
feed.addEventListener("open", () => tell(state = ["open"]));
feed.addEventListener("ended", (event) => over(["ended", event.data]));
feed.addEventListener("error", () => {
  if (feed.readyState === EventSource.CLOSED) over(["gone"]);
  else tell(state = ["connecting"]);
});

// Whoever asks again gets another worker.
const over = (message) => {
  feed.close();
  tell(state = message);
  self.close();
};

if ("onconnect" in self) {
  onconnect = ({ ports: [tab] }) => {
    tabs.push(tab);
    tab.postMessage(state);
  };
} else {
  tabs.push(self);
}
