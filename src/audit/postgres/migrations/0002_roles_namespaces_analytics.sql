-- Who may do what, whose rows are whose, how long rows are kept, and views for analytics.
--
-- Names of OpenTelemetry's semantic conventions, for whoever exports these rows:
--
--   ref          session.id (base64url)           user_id      user.id
--   related      session.previous_id              client_ip    client.address
--                (of created and signed_in)       user_agent   user_agent.original
--   kind         event.name: created and          method       http.request.method
--                signed_in are session.start,     route        url.path
--                ended is session.end             trace_id     the record's own trace id
--   namespace    service.namespace
--
-- The rest (version, prev_event_id, reason, auth_method, device, delta …) has no name there.
--
-- Conflicts are in no view: a commit that conflicts changes nothing and leaves no entry.

-- '' is a row that a release before this one wrote. That is also why the default stays: such a writer may
-- still be running.
ALTER TABLE cloakroom.session_event ADD COLUMN namespace text NOT NULL DEFAULT '';
-- What the application calls the client's device; told where a session begins.
ALTER TABLE cloakroom.session_event ADD COLUMN device text;

-- Dead letters: rows that were refused five times. Under the key that the row would have had, so that a
-- letter is noted once, and so that one which was stored later can be told from one which still lies there.
-- The letter itself is in Redis, and is put back or dropped there.
CREATE TABLE cloakroom.session_event_dead (
    event_id    uuid        NOT NULL,
    occurred_at timestamptz NOT NULL,
    namespace   text        NOT NULL,
    ref         bytea,
    version     int8,
    user_id     text,
    shard       int2        NOT NULL,
    stream_id   text        NOT NULL,
    attempts    int4        NOT NULL,
    error       text        NOT NULL,
    payload     bytea       NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, occurred_at)
);

-- Drops the partitions that lie wholly before the month that began `months` months ago (UTC), and the notes
-- of dead letters from before that; answers the partitions' names. For the owner alone: no right to run it
-- is given to the writer, whose password an attacker would find first.
--
-- A partition is dropped by one statement of some milliseconds under a lock on the parent; a DELETE of as
-- many rows takes seconds, and a VACUUM after it.
CREATE FUNCTION cloakroom.retain(months int) RETURNS SETOF text
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
          -- An upper bound that is no time (MAXVALUE, DEFAULT) is NULL here, and such a partition stays.
          AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz <= cutoff
        ORDER BY c.relname
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE %s', part.name);
            RETURN NEXT part.name;
        EXCEPTION WHEN insufficient_privilege THEN
            -- One that an operator made in a name of his own keeps none of the others.
            RAISE WARNING 'cloakroom.retain: % is past keeping, and belongs to another role', part.name;
        END;
    END LOOP;
    DELETE FROM cloakroom.session_event_dead WHERE recorded_at < cutoff;
END;
$$;
REVOKE ALL ON FUNCTION cloakroom.retain(int) FROM PUBLIC;

-- Every ref that a session ever had, by the one that it began with: a renewal gives it a new one.
CREATE VIEW cloakroom.session_refs AS
WITH RECURSIVE life (namespace, first_ref, ref) AS (
    SELECT namespace, ref, ref FROM cloakroom.session_event
    WHERE kind IN ('created', 'signed_in') AND ref IS NOT NULL
    UNION
    SELECT life.namespace, life.first_ref, event.related
    FROM life JOIN cloakroom.session_event AS event USING (namespace, ref)
    WHERE event.kind IN ('renewed', 'reauthenticated') AND event.related IS NOT NULL
)
SELECT namespace, first_ref, ref FROM life;

-- Users who did something that changed a session, by day (UTC). Whoever only reads leaves no entry.
CREATE VIEW cloakroom.active_users_by_day AS
SELECT namespace, (occurred_at AT TIME ZONE 'UTC')::date AS day,
       count(DISTINCT user_id) AS users, count(*) AS events
FROM cloakroom.session_event
WHERE user_id IS NOT NULL
GROUP BY namespace, day;

-- One row a session, over all its renewals. ended_at is NULL while it lives or when its end was not told.
CREATE VIEW cloakroom.session_lengths AS
SELECT namespace, refs.first_ref AS ref, max(event.user_id) AS user_id,
       min(event.occurred_at) AS began_at,
       max(event.occurred_at) AS last_event_at,
       max(event.occurred_at) FILTER (WHERE event.kind = 'ended') AS ended_at,
       max(event.reason) FILTER (WHERE event.kind = 'ended') AS reason,
       extract(epoch FROM max(event.occurred_at) - min(event.occurred_at))::float8 AS seconds,
       count(*) AS events
FROM cloakroom.session_refs AS refs JOIN cloakroom.session_event AS event USING (namespace, ref)
GROUP BY namespace, refs.first_ref;

CREATE VIEW cloakroom.sign_ins_by_device AS
SELECT namespace, (occurred_at AT TIME ZONE 'UTC')::date AS day, device, auth_method,
       count(*) AS sign_ins, count(DISTINCT user_id) AS users
FROM cloakroom.session_event
WHERE kind = 'signed_in'
GROUP BY namespace, day, device, auth_method;

CREATE VIEW cloakroom.session_ends_by_day AS
SELECT namespace, (occurred_at AT TIME ZONE 'UTC')::date AS day, reason, count(*) AS sessions
FROM cloakroom.session_event
WHERE kind = 'ended'
GROUP BY namespace, day, reason;

-- Changes that were left out of the trail while too much waited in Redis: how many in which shard, and when.
-- Whose they were is told by the versions that are missing in the sessions of that shard and time.
CREATE VIEW cloakroom.gaps AS
SELECT namespace, shard, (delta->>'shed')::int8 AS changes,
       to_timestamp((delta->>'since')::float8 / 1000) AS since,
       to_timestamp((delta->>'until')::float8 / 1000) AS until,
       event_id
FROM cloakroom.session_event
WHERE kind = 'gap' AND ref IS NULL;

-- The roles, all of them groups that nobody can log in as:
--
--   cloakroom_owner   owns the tables and the functions that run in their owner's name, so that these run
--                     as nobody more powerful
--   cloakroom_writer  INSERT, and making partitions; not even SELECT of what it wrote
--   cloakroom_reader  SELECT
--
-- GRANT cloakroom_writer TO the account that the writer logs in as. Roles belong to the whole server: they
-- are made where the migrating account may (superuser or CREATEROLE), or were made before by one who may.
-- Otherwise everything stays the migrating account's own, and whoever may do it later calls this function
-- again.
CREATE FUNCTION cloakroom.set_up_roles() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    super  boolean;
    maker  boolean;
    wanted text;
    thing  record;
BEGIN
    SELECT rolsuper, rolsuper OR rolcreaterole INTO super, maker FROM pg_roles WHERE rolname = current_user;
    FOREACH wanted IN ARRAY ARRAY['cloakroom_owner', 'cloakroom_writer', 'cloakroom_reader'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
        IF NOT maker THEN
            RAISE NOTICE 'cloakroom: no role %, and % may make none', wanted, current_user;
            RETURN false;
        END IF;
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            -- Another database of this server is being migrated at this moment.
            NULL;
        END;
    END LOOP;
    IF NOT super AND NOT pg_has_role(current_user, 'cloakroom_owner', 'USAGE') THEN
        IF NOT maker THEN
            RAISE NOTICE 'cloakroom: % is no member of cloakroom_owner', current_user;
            RETURN false;
        END IF;
        EXECUTE format('GRANT cloakroom_owner TO %I', current_user);
    END IF;

    GRANT USAGE, CREATE ON SCHEMA cloakroom TO cloakroom_owner;
    FOR thing IN
        SELECT oid::regclass AS name FROM pg_class
        WHERE relnamespace = 'cloakroom'::regnamespace AND relkind IN ('r', 'p', 'v') AND relname <> 'migrations'
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO cloakroom_owner', thing.name);
    END LOOP;
    ALTER FUNCTION cloakroom.ensure_partitions(timestamptz, int) OWNER TO cloakroom_owner;
    ALTER FUNCTION cloakroom.retain(int) OWNER TO cloakroom_owner;

    GRANT USAGE ON SCHEMA cloakroom TO cloakroom_writer, cloakroom_reader;
    -- By which the command finds out whether the schema is up to date.
    GRANT SELECT ON cloakroom.migrations TO cloakroom_owner, cloakroom_writer, cloakroom_reader;
    GRANT INSERT ON cloakroom.session_event, cloakroom.session_event_dead TO cloakroom_writer;
    GRANT EXECUTE ON FUNCTION cloakroom.ensure_partitions(timestamptz, int) TO cloakroom_writer;
    GRANT SELECT ON cloakroom.session_event, cloakroom.session_event_dead, cloakroom.session_refs,
        cloakroom.active_users_by_day, cloakroom.session_lengths, cloakroom.sign_ins_by_device,
        cloakroom.session_ends_by_day, cloakroom.gaps TO cloakroom_reader;
    RETURN true;
END;
$$;
REVOKE ALL ON FUNCTION cloakroom.set_up_roles() FROM PUBLIC;

SELECT cloakroom.set_up_roles();
