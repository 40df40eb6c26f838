package dev.sluice.adapter.jdbc;

import dev.sluice.core.Position;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.outbox.IntegrationMessage;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.StoredEvent;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;

/**
 * The append statements, bound to appends: each one is one round trip for any number of events.
 * What they do, and why a reader misses nothing, stands in {@code sql/append.sql}.
 */
final class AppendStatements {

  private final String one;
  private final String batch;
  private final String batchWithMessages;
  private final String group;
  private final String groupWithMessages;
  private final String groupOfOnes;
  private final String storedIds;
  private final String streamVersion;

  private AppendStatements(Sql sql, String draw, String lockTimeout) {
    Map<String, String> plain =
        Map.of("draw", sql.part(draw), "lock-timeout", lockTimeout, "messages", "");
    one = sql.get("one", plain);
    batch = sql.get("batch", plain);
    group = sql.get("group", plain);
    groupOfOnes = sql.get("group-of-ones", plain);
    batchWithMessages = sql.get("batch", with(plain, sql.part("batch-messages")));
    groupWithMessages = sql.get("group", with(plain, sql.part("group-messages")));
    storedIds = sql.get("stored-ids");
    streamVersion = sql.get("stream-version");
  }

  /** For the queue: an append that must wait for another transaction fails after a short while. */
  static AppendStatements queued(Sql sql, int lockTimeoutMillis) {
    return new AppendStatements(sql, "draw", lockTimeoutMillis + "ms");
  }

  /** For one append in a transaction of its own. */
  static AppendStatements alone(Sql sql) {
    return new AppendStatements(sql, "draw-alone", "");
  }

  /** For any number of appends in a caller's transaction. */
  static AppendStatements joined(Sql sql) {
    return new AppendStatements(sql, "draw-joined", "");
  }

  private static Map<String, String> with(Map<String, String> plain, String messages) {
    Map<String, String> copy = new java.util.HashMap<>(plain);
    copy.put("messages", messages);
    return copy;
  }

  /** Runs one append. Empty-handed, null, where the stream is not as expected. */
  @Nullable AppendResult run(Connection connection, ReadyAppend append) throws SQLException {
    if (append.eventCount() == 1 && append.messageCount() == 0) {
      return runOne(connection, append);
    }
    try (PreparedStatement statement =
        connection.prepareStatement(append.messageCount() == 0 ? batch : batchWithMessages)) {
      statement.setString(1, append.stream());
      statement.setLong(2, append.expected());
      EventArrays events = new EventArrays(append.eventCount());
      events.add(append);
      int next = events.bind(statement, connection, 3);
      if (append.messageCount() > 0) {
        MessageArrays messages = new MessageArrays(append.messageCount());
        messages.add(append);
        messages.bind(statement, connection, next);
      }
      @Nullable AppendResult[] results = new AppendResult[1];
      readResults(statement, List.of(append), new long[] {1}, results);
      return results[0];
    }
  }

  private @Nullable AppendResult runOne(Connection connection, ReadyAppend append)
      throws SQLException {
    NewEvent event = append.append().events().getFirst();
    try (PreparedStatement statement = connection.prepareStatement(one)) {
      statement.setLong(1, EventRows.micros(event.time()));
      statement.setInt(2, append.kinds().getFirst());
      statement.setObject(3, event.id());
      statement.setBytes(4, event.data().toBytes());
      statement.setBytes(5, event.metadata().toBytes());
      statement.setString(6, append.stream());
      statement.setLong(7, append.expected());
      try (ResultSet rows = statement.executeQuery()) {
        if (!rows.next()) {
          return null;
        }
        long version = rows.getLong(2);
        return new AppendResult(version, version, new Position(rows.getLong(1)));
      }
    }
  }

  /**
   * Runs several appends to different streams, in one commit.
   *
   * @return what each of them did; null where the stream is not as expected
   */
  @Nullable AppendResult[] run(Connection connection, List<ReadyAppend> appends)
      throws SQLException {
    @Nullable AppendResult[] results = new AppendResult[appends.size()];
    if (appends.size() == 1) {
      results[0] = run(connection, appends.getFirst());
      return results;
    }
    int events = 0;
    int messages = 0;
    String[] streams = new String[appends.size()];
    long[] expected = new long[appends.size()];
    long[] first = new long[appends.size()];
    for (int n = 0; n < appends.size(); n++) {
      ReadyAppend append = appends.get(n);
      streams[n] = append.stream();
      expected[n] = append.expected();
      first[n] = events + 1L;
      events += append.eventCount();
      messages += append.messageCount();
    }
    EventArrays eventArrays = new EventArrays(events);
    MessageArrays messageArrays = new MessageArrays(messages);
    for (ReadyAppend append : appends) {
      eventArrays.add(append);
      messageArrays.add(append);
    }
    boolean ones = events == appends.size() && messages == 0;
    String sql = ones ? groupOfOnes : messages == 0 ? group : groupWithMessages;
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      int next = 1;
      if (!ones) {
        statement.setInt(next++, streams.length);
      }
      statement.setArray(next++, connection.createArrayOf("text", streams));
      statement.setObject(next++, expected);
      if (!ones) {
        statement.setObject(next++, first);
        statement.setObject(next++, eventArrays.append);
      }
      next = eventArrays.bind(statement, connection, next);
      if (messages > 0) {
        statement.setObject(next, messageArrays.append);
        messageArrays.bind(statement, connection, next + 1);
      }
      readResults(statement, appends, first, results);
    }
    return results;
  }

  /** Reads a row for each append that was stored: its number, the commit's base, the version. */
  private static void readResults(
      PreparedStatement statement,
      List<ReadyAppend> appends,
      long[] first,
      @Nullable AppendResult[] results)
      throws SQLException {
    try (ResultSet rows = statement.executeQuery()) {
      while (rows.next()) {
        int n = rows.getInt(1) - 1;
        int count = appends.get(n).eventCount();
        long before = rows.getLong(3);
        long position = rows.getLong(2) + first[n] - 1 + count - 1;
        results[n] = new AppendResult(before + 1, before + count, new Position(position));
      }
    }
  }

  /** The stored events that have one of these ids. */
  List<StoredEvent> stored(Connection connection, List<UUID> ids) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(storedIds)) {
      statement.setArray(1, connection.createArrayOf("uuid", ids.toArray()));
      List<StoredEvent> stored = new ArrayList<>();
      try (ResultSet rows = statement.executeQuery()) {
        while (rows.next()) {
          stored.add(
              new StoredEvent(
                  rows.getObject(1, UUID.class),
                  StreamId.parse(rows.getString(2)),
                  rows.getLong(3),
                  new Position(rows.getLong(4))));
        }
      }
      return stored;
    }
  }

  long version(Connection connection, ReadyAppend append) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(streamVersion)) {
      statement.setString(1, append.stream());
      try (ResultSet rows = statement.executeQuery()) {
        rows.next();
        return rows.getLong(1);
      }
    }
  }

  /** The columns of the events of one or several appends. */
  private static final class EventArrays {

    private final long[] append;
    private final long[] time;
    private final int[] kind;
    private final UUID[] id;
    private final byte[][] data;
    private final byte[][] metadata;
    private int appends;
    private int size;

    EventArrays(int events) {
      append = new long[events];
      time = new long[events];
      kind = new int[events];
      id = new UUID[events];
      data = new byte[events][];
      metadata = new byte[events][];
    }

    void add(ReadyAppend ready) {
      appends++;
      int first = size;
      for (NewEvent event : ready.append().events()) {
        append[size] = appends;
        time[size] = EventRows.micros(event.time());
        kind[size] = ready.kinds().get(size - first);
        id[size] = event.id();
        data[size] = event.data().toBytes();
        metadata[size] = event.metadata().toBytes();
        size++;
      }
    }

    int bind(PreparedStatement statement, Connection connection, int from) throws SQLException {
      int next = from;
      statement.setInt(next++, size);
      statement.setObject(next++, time);
      statement.setObject(next++, kind);
      statement.setArray(next++, connection.createArrayOf("uuid", id));
      statement.setArray(next++, bytea(connection, data));
      statement.setArray(next++, bytea(connection, metadata));
      return next;
    }
  }

  /** The columns of the messages of one or several appends. */
  private static final class MessageArrays {

    private final long[] append;
    private final long[] time;
    private final UUID[] id;
    private final String[] type;
    private final String[] key;
    private final String[] subject;
    private final @Nullable String[] correlationId;
    private final @Nullable String[] causationId;
    private final byte[][] data;
    private int appends;
    private int size;

    MessageArrays(int messages) {
      append = new long[messages];
      time = new long[messages];
      id = new UUID[messages];
      type = new String[messages];
      key = new String[messages];
      subject = new String[messages];
      correlationId = new String[messages];
      causationId = new String[messages];
      data = new byte[messages][];
    }

    void add(ReadyAppend ready) {
      appends++;
      if (ready.messageCount() == 0) {
        return;
      }
      for (NewEvent event : ready.append().events()) {
        for (IntegrationMessage message : event.messages()) {
          append[size] = appends;
          time[size] = EventRows.micros(message.time());
          id[size] = message.id();
          type[size] = message.type();
          key[size] = message.key();
          subject[size] = message.subject();
          correlationId[size] = message.correlationId().orElse(null);
          causationId[size] = message.causationId().orElse(null);
          data[size] = message.data().toBytes();
          size++;
        }
      }
    }

    void bind(PreparedStatement statement, Connection connection, int from) throws SQLException {
      int next = from;
      statement.setInt(next++, size);
      statement.setObject(next++, time);
      statement.setArray(next++, connection.createArrayOf("uuid", id));
      statement.setArray(next++, connection.createArrayOf("text", type));
      statement.setArray(next++, connection.createArrayOf("text", key));
      statement.setArray(next++, connection.createArrayOf("text", subject));
      statement.setArray(next++, connection.createArrayOf("text", correlationId));
      statement.setArray(next++, connection.createArrayOf("text", causationId));
      statement.setArray(next, bytea(connection, data));
    }
  }

  /** Unwrapped, because the standard method takes no array of arrays as an array of bytes. */
  private static java.sql.Array bytea(Connection connection, byte[][] values) throws SQLException {
    return connection.unwrap(PGConnection.class).createArrayOf("bytea", values);
  }
}
