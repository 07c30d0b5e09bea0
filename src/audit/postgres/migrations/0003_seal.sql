-- Evidence against tampering: a hash of every row, and seals over batches of rows.
--
-- row_hash covers the row's header (its namespace, too) and value_hash; value_hash covers value_salt and the
-- values (user, device, request, delta). So one person's values can be erased together with their salts, and the row still
-- verifies: without the salt nobody can guess a value and check it against its hash.
-- All of it is NULL in rows of earlier releases, and of writers that do not seal.
ALTER TABLE cloakroom.session_event
    ADD COLUMN value_salt bytea,     -- 16 random bytes; NULL where the values were erased
    ADD COLUMN value_hash bytea,     -- SHA-256
    ADD COLUMN row_hash   bytea,     -- SHA-256
    ADD COLUMN seal       uuid;      -- the seal that covers it

-- One seal a batch, written in the transaction that writes its rows. Each names the hash of the seal before
-- it in its chain; a writer begins chains of its own, so that writers never wait for one another, and the
-- first seal of a chain names the newest seal of the others.
CREATE TABLE cloakroom.seal (
    seal       uuid        PRIMARY KEY,
    chain      uuid        NOT NULL,
    seq        int8        NOT NULL,             -- 1, 2, 3 … in its chain
    rows       int4        NOT NULL,
    first_at   timestamptz NOT NULL,             -- the bounds of the rows' times
    last_at    timestamptz NOT NULL,
    root       bytea       NOT NULL,             -- Merkle tree over the row hashes, as in RFC 6962
    prev_hash  bytea,                            -- of the seal before
    hash       bytea       NOT NULL,             -- over all of the above
    key_id     text,                             -- which key signed; NULL where none is configured
    signature  bytea,                            -- Ed25519 over hash
    sealed_at  timestamptz NOT NULL DEFAULT now(),
    -- A broken chain is evidence, but two seals of one place can't be: a writer that lost the answer to its
    -- COMMIT begins another chain.
    UNIQUE (chain, seq)
);
CREATE INDEX seal_sealed_at ON cloakroom.seal (sealed_at);

-- What seals need of the roles:
--
--   cloakroom_writer  to know which rows of a batch were new, and so are to be sealed, it needs SELECT of
--                     event_id, and of nothing else of a row; to go on with a chain, SELECT of the seals.
--                     It may add seals, and change none
--   cloakroom_reader  SELECT
--   cloakroom_owner   owns the table. It alone may UPDATE rows, which is what erasing a user's values takes
--
-- Guarded as set_up_roles is, which it calls: where nobody may make roles, everything stays the migrating
-- account's own. Whoever may do it later calls this function.
CREATE FUNCTION cloakroom.set_up_seal_roles() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- It also gives the new table to the owner.
    IF NOT cloakroom.set_up_roles() THEN
        RETURN false;
    END IF;
    GRANT SELECT (event_id) ON cloakroom.session_event TO cloakroom_writer;
    GRANT SELECT, INSERT ON cloakroom.seal TO cloakroom_writer;
    GRANT SELECT ON cloakroom.seal TO cloakroom_reader;
    RETURN true;
END;
$$;
REVOKE ALL ON FUNCTION cloakroom.set_up_seal_roles() FROM PUBLIC;

SELECT cloakroom.set_up_seal_roles();
