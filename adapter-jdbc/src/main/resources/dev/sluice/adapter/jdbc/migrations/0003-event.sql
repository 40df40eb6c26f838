-- The domain events. Rows are only ever inserted.
--
-- Fixed-width columns come first, so that nothing is lost to alignment. data and metadata are bytea
-- because the driver then moves bytes instead of parsing and printing JSON; event_text shows them
-- as text. kind instead of two texts saves one index and some 40 bytes per event.
create table {schema}.event (
  position bigint not null,
  version  bigint not null,
  time_us  bigint not null,
  kind     integer not null,
  event_id uuid not null,
  stream   text collate "C" not null,
  data     bytea not null,
  metadata bytea not null,
  constraint event_by_position primary key (position),
  constraint event_by_stream unique (stream, version),
  constraint event_by_id unique (event_id)
);

comment on column {schema}.event.time_us is 'microseconds since 1970-01-01 UTC';
comment on column {schema}.event.stream is 'category, a dash, and the id';

-- One index serves filters by category, by type, and by both: each kind is read in order of
-- positions, and the kinds are merged.
create index event_by_kind on {schema}.event (kind, position);
