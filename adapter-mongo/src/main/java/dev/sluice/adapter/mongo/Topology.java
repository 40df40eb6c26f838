package dev.sluice.adapter.mongo;

import com.mongodb.connection.ClusterConnectionMode;
import dev.sluice.core.StoreRefusedException;
import java.util.List;
import java.util.Optional;
import org.bson.Document;
import org.jspecify.annotations.Nullable;

/**
 * What kind of server there is, as its first answer said. Decided once: what the driver knows of a
 * server it forgets in an outage, and a replica set would pass for a standalone.
 *
 * @param setName of the replica set, if it is one
 * @param sharded whether a router answers, which has the shards' replica sets behind it
 * @param direct whether the client talks to the one server that it was given, whatever that becomes
 * @param members those of the set that can become the primary
 * @param version of the server, as 404 for 4.4
 */
record Topology(
    @Nullable String setName, boolean sharded, boolean direct, List<String> members, int version) {

  private static final int OLDEST = 404;
  private static final int MAJORITY_BY_DEFAULT = 500;

  /**
   * Reads the answers to {@code hello} and {@code buildInfo}.
   *
   * @throws StoreRefusedException if this server can't be worked with
   */
  static Topology of(Document hello, Document build, ClusterConnectionMode mode, String where) {
    Topology topology =
        new Topology(
            hello.getString("setName"),
            "isdbgrid".equals(hello.getString("msg"))
                || mode == ClusterConnectionMode.LOAD_BALANCED,
            mode == ClusterConnectionMode.SINGLE,
            List.copyOf(hello.getList("hosts", String.class, List.of())),
            version(build));
    if (topology.version < OLDEST) {
      throw tooOld(where, "it is " + build.getString("version"), null);
    }
    // Where the client knows the whole set it finds the primary by itself, if not at once.
    if (topology.direct && isNoPrimary(hello)) {
      throw new StoreRefusedException(
          "the server of "
              + where
              + " is a secondary or no working member of its set, and this client talks to no other"
              + " one; "
              + topology.advice());
    }
    return topology;
  }

  /** Not by the version of the protocol: other servers than MongoDB's speak more than they say. */
  private static int version(Document build) {
    List<Number> parts = build.getList("versionArray", Number.class, List.of(0, 0));
    return parts.get(0).intValue() * 100 + parts.get(1).intValue();
  }

  static StoreRefusedException tooOld(String where, String reason, @Nullable Exception cause) {
    String message =
        "the server of " + where + " is too old (" + reason + "); use MongoDB 4.4 or later";
    return cause == null
        ? new StoreRefusedException(message)
        : new StoreRefusedException(message, cause);
  }

  private static boolean isNoPrimary(Document hello) {
    return !hello.getBoolean("isWritablePrimary", false) && !hello.getBoolean("ismaster", false);
  }

  /** Whether there are transactions, majorities and change streams. */
  boolean hasReplicaSet() {
    return setName != null || sharded;
  }

  /** Whether the client goes on with this member when another one has become the primary. */
  boolean missesElections() {
    return direct && members.size() > 1;
  }

  /** From 5.0 on the server's own default is majority, unless somebody has changed it. */
  boolean majorityByDefault() {
    return version >= MAJORITY_BY_DEFAULT;
  }

  /** What weakens the guarantees, with the next step. */
  Optional<String> finding() {
    return missesElections()
        ? Optional.of(
            "the connection string names one member of the replica set '"
                + setName
                + "', which has "
                + members
                + ": once that one is a secondary, nothing can be appended, and until the driver"
                + " notices it reads lag behind (S7); "
                + advice())
        : Optional.empty();
  }

  String advice() {
    return "add replicaSet="
        + (setName == null ? "<its name>" : setName)
        + " to the connection string, and leave directConnection out";
  }
}
