-- What a session came to at one of its versions, so that a recovery need not read everything before that, and a
-- session outlives the partitions in which it began. Made of rows and of nothing else: where the rows are there and
-- say otherwise, they are right.
CREATE TABLE cloakroom.session_snapshot (
    namespace  text        NOT NULL,
    root       bytea       NOT NULL,             -- the ref under which the session began
    version    int8        NOT NULL,
    refs       bytea[]     NOT NULL,             -- every ref that it had until then
    user_id    text,
    last_ms    int8        NOT NULL,             -- when this version was made, in ms since the Unix epoch
    settled_us int8        NOT NULL,             -- rows that were stored later are not in it, in µs
    state      bytea       NOT NULL,             -- JSON
    made_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace, root, version)
);
CREATE INDEX session_snapshot_refs ON cloakroom.session_snapshot USING gin (refs);
CREATE INDEX session_snapshot_user ON cloakroom.session_snapshot (user_id) WHERE user_id IS NOT NULL;

-- As before, and the snapshots of sessions that have no row left.
CREATE OR REPLACE FUNCTION cloakroom.retain(months int) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '5s'
AS $$
DECLARE
    cutoff timestamptz;
    part   record;
BEGIN
    IF months IS NULL OR months < 1 OR months > 1200 THEN
        RAISE EXCEPTION 'cloakroom.retain: % months, 1 to 1200 are allowed', months;
    END IF;
    cutoff := date_trunc('month', now()) - make_interval(months => months);
    FOR part IN
        SELECT c.oid::regclass::text AS name
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'cloakroom.session_event'::regclass
          AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz <= cutoff
        ORDER BY c.relname
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE %s', part.name);
            RETURN NEXT part.name;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE WARNING 'cloakroom.retain: % is past keeping, and belongs to another role', part.name;
        END;
    END LOOP;
    DELETE FROM cloakroom.session_event_dead WHERE recorded_at < cutoff;
    DELETE FROM cloakroom.session_snapshot AS s
    WHERE s.last_ms < extract(epoch FROM cutoff) * 1000
      AND NOT EXISTS (SELECT FROM cloakroom.session_event AS e
                      WHERE e.namespace = s.namespace AND e.ref = ANY (s.refs));
END;
$$;

-- Snapshots are the owner's to make: a writer adds rows and reads none, and what it could forge here would be put
-- into Redis.
CREATE FUNCTION cloakroom.set_up_snapshot_roles() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- It also gives the new table to the owner.
    IF NOT cloakroom.set_up_roles() THEN
        RETURN false;
    END IF;
    GRANT SELECT ON cloakroom.session_snapshot TO cloakroom_reader;
    RETURN true;
END;
$$;
REVOKE ALL ON FUNCTION cloakroom.set_up_snapshot_roles() FROM PUBLIC;

SELECT cloakroom.set_up_snapshot_roles();
