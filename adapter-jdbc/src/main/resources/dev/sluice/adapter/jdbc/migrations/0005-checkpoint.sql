-- How far each reader has come. Updated often and never in its index: with room on each page the
-- updates stay in place.
create table {schema}.checkpoint (
  position bigint not null,
  token    bigint not null,
  revision bigint not null,
  saved_at timestamptz not null,
  name     text collate "C" not null primary key,
  state    bytea not null
) with (fillfactor = 50);
