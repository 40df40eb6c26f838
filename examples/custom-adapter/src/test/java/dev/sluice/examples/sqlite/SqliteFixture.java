package dev.sluice.examples.sqlite;

import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.Storage;
import dev.sluice.tck.Capability;
import dev.sluice.tck.HeldAppend;
import dev.sluice.tck.StorageFixture;
import java.nio.file.Path;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;

/** One SQLite file, as the suites see it. */
final class SqliteFixture implements StorageFixture {

  private final Path file;
  private final Queue<Database> held = new ConcurrentLinkedQueue<>();

  SqliteFixture(Path file) {
    this.file = file;
    SqliteStorage.open(file).close();
  }

  @Override
  public String adapter() {
    return "sluice-example-custom-adapter";
  }

  @Override
  public Set<Capability> capabilities() {
    return Set.of(Capability.LARGE_APPENDS);
  }

  @Override
  public Storage open() {
    return SqliteStorage.open(file);
  }

  @Override
  public HeldAppend hold(Append append) {
    Database connection = new Database(file);
    held.add(connection);
    connection.update("BEGIN IMMEDIATE");
    AppendResult result = SqliteStorage.append(connection, append);
    return new HeldAppend() {
      @Override
      public AppendResult commit() {
        connection.update("COMMIT");
        connection.close();
        return result;
      }

      @Override
      public void rollBack() {
        connection.update("ROLLBACK");
        connection.close();
      }

      // Ends no transaction, as a process does not that is killed; see SqliteCrashTest.
      @Override
      public void kill() {
        connection.close();
      }
    };
  }

  @Override
  public void close() {
    held.forEach(Database::close);
  }
}
