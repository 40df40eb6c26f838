package dev.sluice.tck;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.Storage;
import java.util.EnumSet;
import java.util.Set;

/** The in-memory adapter, as the suites see it. */
public class InMemoryFixture implements StorageFixture {

  private final InMemoryStorage origin;

  public InMemoryFixture() {
    this(InMemoryStorage.create());
  }

  protected InMemoryFixture(InMemoryStorage origin) {
    this.origin = origin;
  }

  @Override
  public String adapter() {
    return "sluice-adapter-inmemory";
  }

  @Override
  public Set<Capability> capabilities() {
    return EnumSet.complementOf(EnumSet.of(Capability.CALLER_TRANSACTIONS));
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
