// Puts the events of a file, one JSON object a line, into the queue: node fill.js REDIS_PORT FILE
import { readFileSync } from "node:fs";
import { Queue } from "bullmq";

const [port, file] = process.argv.slice(2);
const queue = new Queue("audit", { connection: { host: "127.0.0.1", port: Number(port) } });
// What an audit trail needs: an event that could not be stored is tried again.
const opts = { attempts: 5, backoff: { type: "exponential", delay: 1000 } };
const lines = readFileSync(file, "utf8").trimEnd().split("\n");
for (let at = 0; at < lines.length; at += 1000) {
  const jobs = lines.slice(at, at + 1000);
  await queue.addBulk(jobs.map((line) => ({ name: "event", data: JSON.parse(line), opts })));
}
await queue.close();
