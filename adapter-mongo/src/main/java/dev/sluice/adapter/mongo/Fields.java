package dev.sluice.adapter.mongo;

/** The names in the documents. Changing one needs a new schema version. */
final class Fields {

  static final String ID = "_id";

  // A commit. Its _id is its number.
  static final String VERSION = "version";
  // The number once more, only where there are messages: what the sparse outbox index is on.
  static final String OUTBOX = "outbox";
  static final String CATEGORY = "category";
  static final String STREAM = "stream";
  static final String COUNT = "count";
  static final String EVENTS = "events";
  static final String MESSAGES = "messages";
  static final String FILLER = "filler";

  // An event or a message.
  static final String EVENT_ID = "id";
  static final String TYPE = "type";
  static final String TIME = "time";
  // What a BSON date cannot hold of the time: 1 to 999; absent if 0.
  static final String MICROS = "micros";
  static final String DATA = "data";
  static final String METADATA = "metadata";
  // The index of a message in its commit.
  static final String INDEX = "n";
  static final String KEY = "key";
  static final String SUBJECT = "subject";
  static final String CORRELATION_ID = "correlationId";
  static final String CAUSATION_ID = "causationId";

  // Checkpoints, leases, snapshots.
  static final String POSITION = "position";
  static final String STATE = "state";
  static final String TOKEN = "token";
  static final String REVISION = "revision";
  static final String OWNER = "owner";
  static final String EXPIRES_AT = "expiresAt";
  static final String SCHEMA = "schema";

  // The documents of the meta collection, by _id, and what they hold.
  static final String META_SCHEMA = "schema";
  static final String META_COUNTER = "counter";
  static final String META_SETTLED = "settled";
  static final String META_PRUNED = "pruned";
  // Only in a sharded cluster.
  static final String META_CLOCK = "clock";
  static final String VALUE = "value";

  private Fields() {}
}
