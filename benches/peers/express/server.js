// express-session with connect-redis: the same routes as in ../src/servers/mod.rs. It prints its port, and
// ends when its input does.
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis";

const client = await createClient({ url: process.argv[2] }).connect();
const app = express();
app.use(
  session({
    store: new RedisStore({ client, ttl: 3600 }),
    secret: "a secret of this benchmark",
    resave: false,
    saveUninitialized: false,
  }),
);

let next = 0;
app.post("/begin", (request, response) => {
  for (let n = 0; n < 8; n++) request.session[`key-${n}`] = "x".repeat(62);
  request.session.value = 0;
  request.session.count = 0;
  response.send("0");
});
app.get("/read", (request, response) => response.send(String(request.session.value)));
app.post("/write", (request, response) => {
  request.session.value = ++next;
  response.send(String(request.session.value));
});
app.post("/increment", (request, response) => {
  request.session.count += 1;
  response.send(String(request.session.count));
});
app.get("/count", (request, response) => response.send(String(request.session.count)));

const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
