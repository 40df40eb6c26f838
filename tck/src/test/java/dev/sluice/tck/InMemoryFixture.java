package dev.sluice.tck;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.Storage;
import java.util.Set;

/** The in-memory adapter, as the suites see it. */
final class InMemoryFixture implements StorageFixture {

  private final InMemoryStorage origin = InMemoryStorage.create();

  @Override
  public String adapter() {
    return "sluice-adapter-inmemory";
  }

  @Override
  public Set<Capability> capabilities() {
    return Set.of(Capability.PARALLEL_APPENDS, Capability.ANY_CHARS, Capability.LARGE_APPENDS);
  }

  @Override
  public Storage open() {
    return origin.another();
  }

  @Override
  public HeldAppend hold(Append append) {
    var held = origin.schedule().hold(append);
    return new HeldAppend() {
      @Override
      public AppendResult commit() {
        return held.commit();
      }

      @Override
      public void rollBack() {
        held.rollBack();
      }

      @Override
      public void kill() {
        held.rollBack();
      }
    };
  }

  @Override
  public void close() {}
}
