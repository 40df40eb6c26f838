-- Columns are read by their numbers, so their order matters. A stream is its text form: the
-- category, '-', and the id. Times are microseconds since 1970.

CREATE TABLE IF NOT EXISTS events (
  id       TEXT    NOT NULL UNIQUE,
  stream   TEXT    NOT NULL,
  version  INTEGER NOT NULL,
  position INTEGER PRIMARY KEY,
  type     TEXT    NOT NULL,
  time     INTEGER NOT NULL,
  data     BLOB    NOT NULL,
  metadata BLOB    NOT NULL,
  category TEXT    NOT NULL AS (substr(stream, 1, instr(stream, '-') - 1)),
  UNIQUE (stream, version)
);
CREATE INDEX IF NOT EXISTS events_by_type ON events (type, position);
CREATE INDEX IF NOT EXISTS events_by_category ON events (category, position);

-- AUTOINCREMENT: the place of a message that was pruned is never given again.
CREATE TABLE IF NOT EXISTS messages (
  position    INTEGER PRIMARY KEY AUTOINCREMENT,
  id          TEXT    NOT NULL,
  type        TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  subject     TEXT    NOT NULL,
  time        INTEGER NOT NULL,
  data        BLOB    NOT NULL,
  correlation TEXT,
  causation   TEXT
);

CREATE TABLE IF NOT EXISTS checkpoints (
  name     TEXT    PRIMARY KEY,
  position INTEGER NOT NULL,
  state    BLOB    NOT NULL,
  token    INTEGER NOT NULL,
  revision INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS snapshots (
  stream  TEXT    NOT NULL,
  schema  TEXT    NOT NULL,
  version INTEGER NOT NULL,
  state   BLOB    NOT NULL,
  PRIMARY KEY (stream, schema)
);

-- A row stays when its lease ends, because the next token is counted from it.
CREATE TABLE IF NOT EXISTS leases (
  name    TEXT    PRIMARY KEY,
  owner   TEXT    NOT NULL,
  token   INTEGER NOT NULL,
  expires INTEGER NOT NULL
);
