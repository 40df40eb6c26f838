-- States of aggregates, for speed only.
create table {schema}.snapshot (
  version     bigint not null,
  stream      text collate "C" not null,
  schema_name text collate "C" not null,
  state       bytea not null,
  primary key (stream, schema_name)
);
