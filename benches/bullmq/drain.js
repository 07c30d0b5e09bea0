// Brings the queue into PostgreSQL and prints how many milliseconds that took:
// node drain.js WAY REDIS_PORT POSTGRES_URL COUNT, where WAY is
//
//   one       a worker with 50 jobs in flight, an INSERT each: as the documentation shows a worker
//   buffered  a worker with 1,000 jobs in flight, whose processors wait for an INSERT they share
//   manual    jobs taken and completed by hand, 500 to an INSERT, two such batches at a time
import { Job, Worker } from "bullmq";
import pg from "pg";
import { insertMany, insertOne } from "./rows.js";

const BATCH = 500;
const [way, port, url, count] = process.argv.slice(2);
// A job is gone once it is stored. Said here and not with each job, where it would take memory.
const options = {
  connection: { host: "127.0.0.1", port: Number(port) },
  removeOnComplete: { count: 0 },
  autorun: false,
};
const pool = new pg.Pool({ connectionString: url, max: way === "one" ? 50 : 4 });
await pool.query("SELECT 1");

async function work(concurrency, process) {
  const worker = new Worker("audit", process, { ...options, concurrency });
  await worker.waitUntilReady();
  const began = performance.now();
  let done = 0;
  await new Promise((resolve, reject) => {
    worker.on("completed", () => ++done === Number(count) && resolve());
    worker.on("failed", (_, error) => reject(error));
    worker.on("error", reject);
    worker.run();
  });
  const took = performance.now() - began;
  await worker.close();
  return took;
}

function one() {
  return work(50, (job) => insertOne(pool, job.data));
}

function buffered() {
  let waiting = [];
  const flush = () => {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    const stored = insertMany(pool, batch.map(({ event }) => event));
    stored.then(
      () => batch.forEach(({ resolve }) => resolve()),
      (error) => batch.forEach(({ reject }) => reject(error)),
    );
  };
  const timer = setInterval(flush, 5);
  const took = work(2 * BATCH, (job) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ event: job.data, resolve, reject }) >= BATCH) flush();
    }),
  );
  return took.finally(() => clearInterval(timer));
}

async function manual() {
  const worker = new Worker("audit", null, options);
  await worker.waitUntilReady();
  const token = "bench";
  const began = performance.now();
  const lane = async () => {
    // Not awaited one by one: the commands of a batch go to Redis in one write.
    const first = Array.from({ length: BATCH }, () => worker.getNextJob(token, { block: false }));
    let jobs = (await Promise.all(first)).filter(Boolean);
    while (jobs.length > 0) {
      await insertMany(pool, jobs.map((job) => job.data));
      // Completing a job answers with the next one, which saves a round trip for each.
      const next = await Promise.all(jobs.map((job) => job.moveToCompleted(undefined, token, true)));
      jobs = next.filter((answer) => answer?.[0]).map(([data, id]) => Job.fromJSON(worker, data, id));
    }
  };
  await Promise.all([lane(), lane()]);
  const took = performance.now() - began;
  await worker.close();
  return took;
}

// A job that never completes must end the benchmark, not hold it up for ever.
setTimeout(() => {
  throw new Error(`${way}: not drained within ten minutes`);
}, 600_000).unref();
const took = await { one, buffered, manual }[way]();
await pool.end();
console.log(took);
