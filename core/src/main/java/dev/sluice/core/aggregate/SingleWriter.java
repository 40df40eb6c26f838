package dev.sluice.core.aggregate;

import dev.sluice.core.NotStorableException;
import dev.sluice.core.Position;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.event.NewEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.Append;
import dev.sluice.core.store.AppendResult;
import dev.sluice.core.store.DuplicateEventException;
import dev.sluice.core.store.ExpectedVersion;
import dev.sluice.core.store.VersionConflictException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Runs the commands of each aggregate one after the other in this process, on a state that is kept
 * in memory. Commands that wait for the same aggregate are decided in a row and share one append;
 * each has its own outcome.
 *
 * <p>No thread of its own: whoever comes first leads, deals with all that wait at that moment, and
 * hands the lead over to one who came meanwhile.
 */
final class SingleWriter<C, S, E extends DomainEvent> {

  private static final int MAX_CALLS = 200;

  private final CommandHandler<C, S, E> handler;
  private final int cached;
  private final Map<StreamId, Lane> lanes = new LinkedHashMap<>(16, 0.75f, true);

  SingleWriter(CommandHandler<C, S, E> handler, int cached) {
    this.handler = handler;
    this.cached = cached;
  }

  CommandResult<S, E> handle(StreamId stream, C command, CommandOptions options) {
    Call call = new Call(command, options);
    Lane lane;
    boolean leads;
    synchronized (lanes) {
      lane = lanes.computeIfAbsent(stream, Lane::new);
      lane.waiting.add(call);
      leads = !lane.led;
      lane.led = true;
      evict();
    }
    if (!leads) {
      call.await();
    }
    if (!call.done) {
      lead(lane);
    }
    return call.result();
  }

  private void evict() {
    Iterator<Lane> oldest = lanes.values().iterator();
    while (lanes.size() > cached && oldest.hasNext()) {
      if (!oldest.next().led) {
        oldest.remove();
      }
    }
  }

  /** The caller's own command is the first that waits, so one round is enough. */
  private void lead(Lane lane) {
    List<Call> calls = new ArrayList<>();
    synchronized (lanes) {
      while (!lane.waiting.isEmpty() && calls.size() < MAX_CALLS) {
        calls.add(lane.waiting.remove());
      }
    }
    try {
      run(lane, calls);
    } catch (VersionConflictException e) {
      // Only an interrupt of a pause lets it out. It was meant for this caller alone, and nothing
      // is stored: the others wait for the next one to lead.
      lane.loaded = null;
      synchronized (lanes) {
        while (calls.size() > 1) {
          lane.waiting.addFirst(calls.removeLast());
        }
      }
      calls.getFirst().failed(e);
    } catch (RuntimeException | Error e) {
      lane.loaded = null;
      calls.forEach(call -> call.failed(e));
    } finally {
      Call next;
      synchronized (lanes) {
        next = lane.waiting.peek();
        lane.led = next != null;
      }
      calls.forEach(Call::wake);
      if (next != null) {
        next.wake();
      }
    }
  }

  private void run(Lane lane, List<Call> calls) {
    Loaded<S> inMemory = lane.loaded;
    boolean fresh = inMemory == null;
    Loaded<S> loaded = inMemory == null ? handler.load(lane.stream) : inMemory;
    for (int conflicts = 0; ; conflicts++) {
      Round round = new Round(lane.stream, loaded, conflicts);
      calls.forEach(round::decide);
      if (round.events.isEmpty()) {
        // What was refused was refused on the state in memory; another process may have changed it.
        Loaded<S> now = fresh ? loaded : handler.catchUp(lane.stream, loaded);
        fresh = true;
        if (now.version() != loaded.version()) {
          loaded = now;
          continue;
        }
        lane.loaded = now;
        round.publish(now.position());
        return;
      }
      try {
        AppendResult appended =
            handler.append(
                new Append(lane.stream, ExpectedVersion.exactly(loaded.version()), round.events));
        if (appended.version() != round.version) {
          // Other tries of the same commands were quicker, in another process, and others were
          // before them: the state here never was the aggregate's.
          loaded = handler.catchUp(lane.stream, loaded);
          fresh = true;
          continue;
        }
        // It is stored now, so the state that all of them were decided on was the newest one.
        Loaded<S> after = round.publish(appended.position());
        lane.loaded = after;
        handler.saveSnapshotIfDue(lane.stream, loaded.version(), after);
        return;
      } catch (VersionConflictException conflict) {
        if (conflicts + 1 >= handler.maxAttempts()) {
          throw new TooManyConflictsException(conflicts + 1, conflict);
        }
        handler.pauseAfter(lane.stream, conflicts + 1, conflict);
        loaded = handler.catchUp(lane.stream, loaded);
        fresh = true;
      } catch (NotStorableException | DuplicateEventException | IllegalArgumentException e) {
        lane.loaded = null;
        if (calls.size() == 1) {
          if (e instanceof DuplicateEventException
              && handler.isRepeated(lane.stream, calls.getFirst().options)) {
            // Another try of the command has decided otherwise, on a newer state.
            loaded = handler.catchUp(lane.stream, loaded);
            fresh = true;
            continue;
          }
          throw e;
        }
        // One of them is to blame, and must not fail its neighbours.
        for (Call call : calls) {
          try {
            run(lane, List.of(call));
          } catch (RuntimeException own) {
            lane.loaded = null;
            call.failed(own);
          }
        }
        return;
      }
    }
  }

  /** What waits for one aggregate, and its state; guarded by the map, the state by the lead. */
  private final class Lane {

    private final StreamId stream;
    private final ArrayDeque<Call> waiting = new ArrayDeque<>();
    private boolean led;
    private @Nullable Loaded<S> loaded;

    Lane(StreamId stream) {
      this.stream = stream;
    }
  }

  /** One try to decide all that waited. Outcomes are told only once they are certain. */
  private final class Round {

    private final StreamId stream;
    private final Loaded<S> loaded;
    private final int conflicts;
    private final List<NewEvent> events = new ArrayList<>();
    private final Set<UUID> commandIds = new HashSet<>();
    private final List<Consumer<Position>> outcomes = new ArrayList<>();
    private S state;
    private long version;

    Round(StreamId stream, Loaded<S> loaded, int conflicts) {
      this.stream = stream;
      this.loaded = loaded;
      this.conflicts = conflicts;
      this.state = loaded.state();
      this.version = loaded.version();
    }

    void decide(Call call) {
      try {
        Loaded<S> now = new Loaded<>(state, version, loaded.position());
        List<E> decided =
            call.options.commandId().filter(commandIds::contains).isPresent()
                    || handler.isRepeated(stream, call.options)
                ? List.of()
                : handler.decide(stream, call.command, now, call.options);
        List<NewEvent> assembled = handler.assemble(stream, decided, call.options);
        state = handler.evolve(state, decided);
        version += decided.size();
        events.addAll(assembled);
        if (!decided.isEmpty()) {
          call.options.commandId().ifPresent(commandIds::add);
        }
        S after = state;
        long versionAfter = version;
        outcomes.add(
            position ->
                call.succeeded(
                    new CommandResult<>(after, versionAfter, position, decided, conflicts)));
      } catch (RuntimeException | Error e) {
        // Also an error, such as an endless recursion, is that of one command.
        outcomes.add(position -> call.failed(e));
      }
    }

    Loaded<S> publish(Position position) {
      outcomes.forEach(outcome -> outcome.accept(position));
      return new Loaded<>(state, version, position);
    }
  }

  /** A command that somebody waits for. */
  private final class Call {

    private final C command;
    private final CommandOptions options;
    private final CountDownLatch woken = new CountDownLatch(1);
    private volatile boolean done;
    private @Nullable CommandResult<S, E> result;
    private @Nullable Throwable failure;

    Call(C command, CommandOptions options) {
      this.command = command;
      this.options = options;
    }

    void succeeded(CommandResult<S, E> result) {
      this.result = result;
      this.failure = null;
      this.done = true;
    }

    void failed(Throwable e) {
      this.failure = e;
      this.done = true;
    }

    void wake() {
      woken.countDown();
    }

    /** Not interruptible: the command may be on its way into the store by another thread. */
    void await() {
      boolean interrupted = false;
      while (true) {
        try {
          woken.await();
          break;
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }

    CommandResult<S, E> result() {
      if (failure instanceof Error e) {
        throw e;
      }
      if (failure instanceof RuntimeException e) {
        throw e;
      }
      return Objects.requireNonNull(result);
    }
  }
}
