package dev.sluice.adapter.jdbc;

import static java.util.Objects.requireNonNull;

import dev.sluice.core.store.AppendResult;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Group commit: appends that wait at the same moment share one statement, one transaction and one
 * round trip, and each gets its own outcome.
 *
 * <p>There are a few <i>lanes</i>. An append that finds all of them free takes one, leads it, and
 * takes along all who wait by then; the others wait. A lane that gets free is led by one of them.
 * No thread but the callers' appends, and an append that nobody came just before goes at once.
 *
 * <p>The more wait, the less each of them costs, so there is one lane as long as its commits are
 * quick and small. Another one opens when an append has waited for 6 milliseconds, because the disk
 * or the network is slow then, or somebody holds one of the streams open; and at once when as much
 * waits as each lane has under way, and at least 16 appends or {@value #FULL_GROUP} events, so that
 * the callers of one group come back while the server is at the other. One that has ended a group
 * goes on by the same rule, or closes.
 *
 * <p>Two appends to the same stream never share a group, nor are they in two lanes at the same
 * time: who comes later waits behind, so that within a process they meet in order instead of
 * failing each other. A group that fails as a whole, because an append of another process came
 * between, or holds a stream open, has stored nothing; its members then go alone, each on a
 * connection of its own, and until then who comes to their streams waits without one.
 */
final class AppendQueue implements AutoCloseable {

  /** Waiting longer than this for somebody else's transaction is done outside of the lanes. */
  static final int LOCK_TIMEOUT_MILLIS = 100;

  /** More than a group takes on a near server, less than a person sees. */
  private static final long PATIENCE_NANOS = 6_000_000;

  /** So long a lane is held for company at most. */
  private static final long HOLD_NANOS = PATIENCE_NANOS / 2;

  /** The work that makes a group, of at least 16 appends or 32 events. */
  private static final int FULL_GROUP = 32;

  private static final long MAX_PATIENCE_NANOS = 200_000_000L;

  private static final int MAX_APPENDS = 256;
  private static final int MAX_ITEMS = 2_048;
  private static final int MAX_BYTES = 4 << 20;

  private final Database database;
  private final AppendStatements statements;
  private final Appender alone;
  private final LaneConnections connections;
  private final int lanes;

  private final ReentrantLock lock = new ReentrantLock();

  /** The append to each stream that came last, of those that wait or are under way. */
  private final Map<String, Waiting> last = new HashMap<>();

  /** Who waits, and behind no other append to the same stream. */
  private final SequencedSet<Waiting> ready = new LinkedHashSet<>();

  private int waiting;
  private int workReady;
  private int workUnderWay;
  private int lanesInUse;

  /** Leaders that have not gathered their groups yet. */
  private int gathering;

  /** Who holds the only lane for company, and is ready like the others, or null. */
  private @Nullable Waiting holder;

  /**
   * How many were in the last group or waited when it ended, or 0 behind a single append; when that
   * was, and how long it took.
   */
  private int lively;

  private long groupEnd;
  private long groupNanos;

  AppendQueue(Database database, int lanes) {
    this(database, lanes, LOCK_TIMEOUT_MILLIS);
  }

  AppendQueue(Database database, int lanes, int lockTimeoutMillis) {
    this.database = database;
    this.statements = AppendStatements.queued(database.sql(), lockTimeoutMillis);
    this.alone = new Appender(AppendStatements.alone(database.sql()));
    this.connections = new LaneConnections(database);
    this.lanes = lanes;
  }

  /** Gives back the connections that no append uses. */
  @Override
  public void close() {
    connections.close();
  }

  AppendResult append(ReadyAppend append) {
    database.checkOpen();
    Waiting mine = new Waiting(append, Thread.currentThread());
    enter(mine);
    while (true) {
      switch (mine.state) {
        case WAITS -> {
          if (!mine.awaitTurn()) {
            opensLane(mine);
          }
        }
        case HOLDS -> {
          if (!mine.awaitCompany()) {
            goesAhead(mine);
          }
        }
        case LEADS -> lead(mine);
        default -> {
          return finish(mine);
        }
      }
    }
  }

  /** Takes a free lane, or the one that is held, or one more; else waits. */
  private void enter(Waiting mine) {
    lock.lock();
    try {
      waiting++;
      @Nullable Waiting before = last.put(mine.append.stream(), mine);
      if (before == null) {
        makeReady(mine);
      } else {
        before.behind = mine;
      }
      if (holder != null) {
        if (hasCompany() || holder.hasHeld()) {
          // It runs already; the holder would have to be woken first.
          goAhead(before == null ? mine : holder);
        }
      } else if (before == null && lanesInUse < lanes && isWorthALane(lanesInUse)) {
        lanesInUse++;
        takeLane(mine, null);
      }
    } finally {
      lock.unlock();
    }
  }

  private void makeReady(Waiting next) {
    ready.add(next);
    workReady += next.work();
  }

  /** Whether so much waits that a lane beside so many others pays. */
  private boolean isWorthALane(int others) {
    return others == 0
        || (gathering == 0 && workReady >= Math.max(FULL_GROUP, workUnderWay / others));
  }

  /** An append that has waited for long leads, in one more lane if need be. */
  private void opensLane(Waiting mine) {
    lock.lock();
    try {
      if (ready.contains(mine)) {
        openLane(mine);
      }
    } finally {
      lock.unlock();
    }
  }

  private void openLane(Waiting leader) {
    if (holder != null) {
      goAhead(leader);
    } else if (lanesInUse < lanes) {
      lanesInUse++;
      makeLeader(leader);
    }
  }

  /** A holder that has waited for long enough leads. */
  private void goesAhead(Waiting mine) {
    lock.lock();
    try {
      if (holder == mine) {
        goAhead(mine);
      }
    } finally {
      lock.unlock();
    }
  }

  /** The lane that is held is led by this one from now on. */
  private void goAhead(Waiting leader) {
    Waiting held = requireNonNull(holder);
    holder = null;
    if (leader != held) {
      leader.connection = held.connection;
      held.connection = null;
      held.state = State.WAITS;
    }
    makeLeader(leader);
  }

  /**
   * Leads a lane that it has got, now or when others have come. Those whose appends have just ended
   * together often append again soon, and a commit for all of them costs little more than one for
   * the first who is back. So the only lane is held for them right behind a group, for up to half
   * the time that the group took. One that is taken later, behind a single append, or by who has
   * waited for long, is not held.
   */
  private void takeLane(Waiting mine, LaneConnections.@Nullable Borrowed connection) {
    mine.connection = connection;
    mine.companyUntil = groupEnd + Math.min(groupNanos / 2, HOLD_NANOS);
    if (lanesInUse > 1 || hasCompany() || mine.hasHeld() || mine.isImpatient()) {
      makeLeader(mine);
    } else {
      holder = mine;
      mine.become(State.HOLDS);
    }
  }

  private boolean hasCompany() {
    return waiting >= lively || workReady >= FULL_GROUP;
  }

  private void makeLeader(Waiting leader) {
    ready.remove(leader);
    putUnderWay(leader);
    gathering++;
    leader.become(State.LEADS);
  }

  /** To be called for who is no longer among those who are ready. */
  private void putUnderWay(Waiting each) {
    waiting--;
    workReady -= each.work();
    workUnderWay += each.work();
  }

  /** The new leader of a lane takes along who is ready, as far as sizes allow. */
  private void gather(Waiting leader, List<Waiting> group) {
    int events = leader.append.eventCount();
    int messages = leader.append.messageCount();
    long bytes = leader.append.bytes();
    lock.lock();
    try {
      Iterator<Waiting> others = ready.iterator();
      while (others.hasNext() && group.size() < MAX_APPENDS) {
        Waiting other = others.next();
        if (events + other.append.eventCount() <= MAX_ITEMS
            && messages + other.append.messageCount() <= MAX_ITEMS
            && bytes + other.append.bytes() <= MAX_BYTES) {
          events += other.append.eventCount();
          messages += other.append.messageCount();
          bytes += other.append.bytes();
          group.add(other);
          others.remove();
          putUnderWay(other);
        }
      }
    } finally {
      gathering--;
      lock.unlock();
    }
    // In one order everywhere, so that two processes with the same streams wait for each other in
    // one direction only.
    group.sort((a, b) -> a.append.stream().compareTo(b.append.stream()));
  }

  private void lead(Waiting leader) {
    long begin = System.nanoTime();
    List<Waiting> group = new ArrayList<>();
    group.add(leader);
    LaneConnections.@Nullable Borrowed connection = leader.connection;
    // An interrupted thread can't wait for a connection, and a virtual one would break it: the
    // others have not been interrupted.
    boolean interrupted = Thread.interrupted();
    try {
      gather(leader, group);
      interrupted |= Thread.interrupted();
      begin = System.nanoTime();
      // Until it has come back it is nobody's to hand on.
      connection = null;
      connection = run(leader, group);
    } finally {
      boolean handedOn = false;
      try {
        handedOn = leave(group, begin, connection);
      } finally {
        if (!handedOn && connection != null) {
          giveBack(connection, group.size());
        }
        for (Waiting member : group) {
          if (member != leader) {
            LockSupport.unpark(member.thread);
          }
        }
        if (interrupted) {
          Thread.currentThread().interrupt();
        }
      }
    }
  }

  /** Behind several appends a lane will soon open again. */
  private void giveBack(LaneConnections.Borrowed connection, int appends) {
    if (appends > 1) {
      connections.keep(connection);
    } else {
      connection.close();
    }
  }

  /** Returns the connection for the next leader, if it is still good for that. */
  private LaneConnections.@Nullable Borrowed run(Waiting leader, List<Waiting> group) {
    LaneConnections.@Nullable Borrowed lane = leader.connection;
    boolean good = false;
    try {
      if (lane == null) {
        lane = connections.take();
      }
      List<ReadyAppend> appends = new ArrayList<>(group.size());
      for (Waiting member : group) {
        appends.add(member.append);
      }
      @Nullable AppendResult[] results = statements.run(lane.connection(), appends);
      for (int i = 0; i < results.length; i++) {
        Waiting member = group.get(i);
        member.result = results[i];
        member.state = results[i] != null ? State.DONE : State.REFUSED;
      }
      good = connections.mayKeep(lane);
    } catch (SQLException e) {
      // What an interrupt of the leader has broken is known to the leader only; the others repeat
      // their appends, which stores nothing twice.
      boolean interrupted = Thread.currentThread().isInterrupted();
      for (Waiting member : group) {
        boolean goesOn = Failures.isRefusal(e) || (interrupted && member != leader);
        member.failure = e;
        member.state = goesOn ? State.GOES_ALONE : State.FAILED;
      }
    } finally {
      if (lane != null && !good) {
        lane.close();
      }
    }
    return good ? lane : null;
  }

  /**
   * Hands the lane on with its connection, or frees it.
   *
   * @return whether it was handed on
   */
  private boolean leave(
      List<Waiting> group, long begin, LaneConnections.@Nullable Borrowed connection) {
    lock.lock();
    try {
      for (Waiting member : group) {
        if (member.state == State.WAITS) {
          // The leader has failed by something that only its caller needs to know.
          member.state = State.GOES_ALONE;
        }
        workUnderWay -= member.work();
        // Who goes alone keeps the stream until it is done. Maybe somebody holds it open, and the
        // next to come would make a whole group wait for nothing, and take another connection.
        if (member.state != State.GOES_ALONE) {
          release(member);
        }
      }
      lively = group.size() == 1 ? 0 : group.size() + waiting;
      groupEnd = System.nanoTime();
      groupNanos = groupEnd - begin;
      @Nullable Waiting next = ready.isEmpty() ? null : ready.getFirst();
      if (next == null || !(isWorthALane(lanesInUse - 1) || next.isImpatient())) {
        lanesInUse--;
        return false;
      }
      takeLane(next, connection);
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Lets the next append to the same stream go. */
  private void release(Waiting done) {
    if (done.behind == null) {
      last.remove(done.append.stream());
    } else {
      makeReady(done.behind);
    }
  }

  private AppendResult goAlone(String doing, Waiting mine) {
    try {
      return database.call(doing, connection -> alone.append(connection, mine.append));
    } finally {
      lock.lock();
      try {
        release(mine);
        @Nullable Waiting next = mine.behind;
        if (next != null && (lanesInUse == 0 || next.isImpatient())) {
          openLane(next);
        }
      } finally {
        lock.unlock();
      }
    }
  }

  private AppendResult finish(Waiting mine) {
    @Nullable AppendResult result = mine.result;
    if (mine.state == State.DONE && result != null) {
      return result;
    }
    String doing = "appending to " + mine.append.append().stream();
    if (mine.state == State.FAILED && mine.failure != null) {
      throw Failures.translate(doing, mine.failure, mine.failure);
    }
    if (mine.state == State.GOES_ALONE) {
      return goAlone(doing, mine);
    }
    return database.call(
        doing,
        connection -> {
          @Nullable AppendResult explained = alone.explain(connection, mine.append);
          return explained != null ? explained : alone.append(connection, mine.append);
        });
  }

  private enum State {
    WAITS,
    HOLDS,
    LEADS,
    DONE,
    REFUSED,
    FAILED,
    GOES_ALONE
  }

  /** An append on its way through the queue. The result is published by the state. */
  private static final class Waiting {

    private final ReadyAppend append;
    private final Thread thread;
    private final long since = System.nanoTime();
    private @Nullable AppendResult result;
    private @Nullable SQLException failure;
    private LaneConnections.@Nullable Borrowed connection;
    private @Nullable Waiting behind;
    private long patience = PATIENCE_NANOS;
    private long patientUntil = since + patience;
    private long companyUntil;
    private volatile State state = State.WAITS;

    Waiting(ReadyAppend append, Thread thread) {
      this.append = append;
      this.thread = thread;
    }

    /**
     * Waits, for a while, to be told what comes next.
     *
     * @return whether it was told
     */
    boolean awaitTurn() {
      if (awaitOtherThan(State.WAITS, patientUntil)) {
        return true;
      }
      patience = Math.min(2 * patience, MAX_PATIENCE_NANOS);
      patientUntil = System.nanoTime() + patience;
      return false;
    }

    /** Waits as long as the lane is held, and returns whether it has been taken over. */
    boolean awaitCompany() {
      return awaitOtherThan(State.HOLDS, companyUntil);
    }

    /**
     * Not interruptible: it may be too late to withdraw, and who called has to learn the outcome.
     */
    private boolean awaitOtherThan(State former, long end) {
      boolean interrupted = false;
      long left = end - System.nanoTime();
      while (state == former && left > 0) {
        LockSupport.parkNanos(this, left);
        interrupted |= Thread.interrupted();
        left = end - System.nanoTime();
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
      return state != former;
    }

    /** In events. The caller of an append costs about as much as to store one. */
    int work() {
      return Math.max(2, append.eventCount());
    }

    boolean hasHeld() {
      return companyUntil - System.nanoTime() <= 0;
    }

    boolean isImpatient() {
      return System.nanoTime() - since > PATIENCE_NANOS;
    }

    void become(State next) {
      state = next;
      if (thread != Thread.currentThread()) {
        LockSupport.unpark(thread);
      }
    }
  }
}
