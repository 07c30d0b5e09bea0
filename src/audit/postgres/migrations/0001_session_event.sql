-- The trail: one row a change of a session.
--
-- The key is (event_id, occurred_at), and both come from the entry itself: the event id that the
-- application minted before the change, and the time in the stream id, which is Redis' clock. So an entry
-- that is delivered twice meets its own row, also over the turn of a month. Never a default of now() here.

CREATE TABLE cloakroom.session_event (
    event_id       uuid        NOT NULL,
    occurred_at    timestamptz NOT NULL,
    ref            bytea,                            -- the session; NULL where the payload could not be read
    version        int8,                             -- 1, 2, 3 … without a gap for each session
    prev_event_id  uuid,                             -- NULL for a session's first event
    kind           text        NOT NULL,             -- created, changed, …; 'unreadable' where nobody knows
    reason         text,                             -- why a session ended
    user_id        text,
    auth_method    text,
    related        bytea,                            -- the session before (a sign-in) or after (a renewal)
    lifetime_ms    int8,
    idle_class     int2,
    method         text,
    route          text,
    client_ip      inet,
    user_agent     text,
    trace_id       text,
    schema_version int2        NOT NULL,             -- of the payload; 0 where it could not be read
    flags          int2        NOT NULL DEFAULT 0,   -- 1: delta is not told, see delta_raw · 2: a column was cleaned or cut
    delta          jsonb,                            -- {"cleared", "set", "removed", "secret"}; NULL where nothing changed
    delta_raw      bytea,                            -- the payload byte for byte, where flags is not 0
    shard          int2        NOT NULL,
    stream_id      text        NOT NULL,
    ingested_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, occurred_at)
) PARTITION BY RANGE (occurred_at);

-- Not unique: after a failover of Redis two histories may share a version, and both are evidence. A unique
-- index here, with ON CONFLICT DO NOTHING, swallowed 262 acknowledged events in a test.
CREATE INDEX session_event_ref_version ON cloakroom.session_event (ref, version);
CREATE INDEX session_event_user ON cloakroom.session_event (user_id, occurred_at) WHERE user_id IS NOT NULL;
-- 24 kB for a million rows where a b-tree takes 22.5 MB: rows arrive in the order of their time.
CREATE INDEX session_event_time ON cloakroom.session_event USING brin (occurred_at);

-- Makes the partitions of `months` months (UTC), beginning with that of `since`; answers how many it made.
--
-- SECURITY DEFINER, since a writer that may only INSERT must be able to heal a missing month. The fixed
-- search_path and the qualified names keep a caller from slipping in tables or operators of its own.
-- The table is made apart and then attached: that takes SHARE UPDATE EXCLUSIVE on the parent, under which
-- inserts go on, where CREATE TABLE … PARTITION OF takes ACCESS EXCLUSIVE.
CREATE FUNCTION cloakroom.ensure_partitions(since timestamptz, months int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    parent  CONSTANT regclass := 'cloakroom.session_event'::regclass;
    first   timestamptz := date_trunc('month', since);
    from_   timestamptz;
    to_     timestamptz;
    part    text;
    created int := 0;
    locked  boolean := false;
BEGIN
    IF months IS NULL OR months < 1 OR months > 120 THEN
        RAISE EXCEPTION 'cloakroom.ensure_partitions: % months, 1 to 120 are allowed', months;
    END IF;
    FOR i IN 0 .. months - 1 LOOP
        from_ := first + make_interval(months => i);
        to_ := first + make_interval(months => i + 1);
        part := 'session_event_' || to_char(from_, 'YYYY_MM');
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
            WHERE i.inhparent = parent AND c.relname = part
        );
        IF NOT locked THEN
            -- Many writers meet here at midnight of the first: one makes the partition, the others find it.
            PERFORM pg_advisory_xact_lock(hashtextextended('cloakroom.ensure_partitions', 0));
            locked := true;
            CONTINUE WHEN EXISTS (
                SELECT FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
                WHERE i.inhparent = parent AND c.relname = part
            );
        END IF;
        BEGIN
            EXECUTE format(
                'CREATE TABLE cloakroom.%I (LIKE cloakroom.session_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)',
                part);
            EXECUTE format(
                'ALTER TABLE cloakroom.session_event ATTACH PARTITION cloakroom.%I FOR VALUES FROM (%L) TO (%L)',
                part, from_, to_);
            created := created + 1;
        EXCEPTION WHEN invalid_object_definition THEN
            -- The months overlap a partition that an operator made under another name: it serves.
            NULL;
        END;
    END LOOP;
    RETURN created;
END;
$$;

REVOKE ALL ON FUNCTION cloakroom.ensure_partitions(timestamptz, int) FROM PUBLIC;
