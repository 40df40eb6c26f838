-- Each pair of stream category and event type once. Rows are committed before the first event of
-- their kind is appended, and never changed or removed: readers keep them in memory.
create table {schema}.event_kind (
  id       integer generated always as identity primary key,
  category text collate "C" not null,
  type     text collate "C" not null,
  unique (category, type)
);
