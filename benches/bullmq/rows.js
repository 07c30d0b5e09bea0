// From a job to its row in the trail: what cloakroom's own writer makes of the same event, column by column.
// An event is { at, v, p, e }: when, the version, the event before, and the payload.

// Column, its type, and its value in the row.
const COLUMNS = [
  ["event_id", "uuid", ({ e }) => e.id],
  ["occurred_at", "timestamptz", ({ at }) => new Date(at).toISOString()],
  ["ref", "bytea", ({ e }) => "\\x" + Buffer.from(e.ref, "base64url").toString("hex")],
  ["version", "int8", ({ v }) => v],
  ["prev_event_id", "uuid", ({ p }) => p],
  ["kind", "text", ({ e }) => e.kind],
  ["user_id", "text", ({ e }) => e.user],
  ["method", "text", ({ e }) => e.context.method],
  ["route", "text", ({ e }) => e.context.route],
  ["client_ip", "inet", ({ e }) => e.context.ip],
  ["schema_version", "int2", ({ e }) => e.schema],
  ["flags", "int2", () => 0],
  ["delta", "jsonb", ({ e }) => JSON.stringify({ set: e.set })],
  // Where it waited.
  ["shard", "int2", () => 0],
  ["stream_id", "text", ({ at }) => `${at}-0`],
  ["namespace", "text", () => "bench"],
];

const names = COLUMNS.map(([name]) => name).join(", ");
const into = `INSERT INTO cloakroom.session_event (${names})`;

// Named, so that PostgreSQL parses them once a connection.
const ONE = {
  name: "one",
  text: `${into} VALUES (${COLUMNS.map(([, type], at) => `$${at + 1}::${type}`).join(", ")}) ON CONFLICT DO NOTHING`,
};
const MANY = {
  name: "many",
  text: `${into} SELECT * FROM unnest(${COLUMNS.map(([, type], at) => `$${at + 1}::${type}[]`).join(", ")}) ON CONFLICT DO NOTHING`,
};

export const insertOne = (pool, event) =>
  pool.query({ ...ONE, values: COLUMNS.map(([, , value]) => value(event)) });

export const insertMany = (pool, events) =>
  pool.query({ ...MANY, values: COLUMNS.map(([, , value]) => events.map(value)) });
