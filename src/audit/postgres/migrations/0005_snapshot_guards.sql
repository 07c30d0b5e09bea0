-- How often values were erased, by namespace. Whoever writes down what was read, as snapshots are made, reads this
-- number first, and stores nothing where it is another by then; an erasure holds the row until it is done.
CREATE TABLE cloakroom.erasure (
    namespace text        PRIMARY KEY,
    done      int8        NOT NULL DEFAULT 0,
    last_at   timestamptz                    -- NULL where there was none yet
);

-- Who says that a snapshot is as it was made: as with seals, whoever may write the table can't. NULL where no key was
-- given.
ALTER TABLE cloakroom.session_snapshot
    ADD COLUMN key_id    text,
    ADD COLUMN signature bytea;     -- Ed25519 over a hash of all columns but made_at and itself

-- Whether a row was stored late is told by the index alone, without a look at each row that a snapshot stands for. An
-- eighth larger than the one before; inserts take as long.
CREATE INDEX session_event_ref_version_stored ON cloakroom.session_event (ref, version) INCLUDE (ingested_at);
DROP INDEX cloakroom.session_event_ref_version;

-- It gives the new table to the owner, who alone erases and makes snapshots.
SELECT cloakroom.set_up_snapshot_roles();
