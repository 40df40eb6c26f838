-- One number for each commit. A position is the commit's number << 16 | index in the commit, so
-- that the events of one commit stand together although others draw at the same time.
-- CACHE 1 and NO CYCLE: a cached or repeated number would appear behind a reader.
create sequence {schema}.commit_number as bigint minvalue 0 start 0 increment 1 cache 1 no cycle;

-- 0 is drawn here, so that last_value always is a number that was drawn.
select nextval('{schema}.commit_number');
