package dev.sluice.adapter.jdbc;

import dev.sluice.core.store.AppendResult;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Group commit: appends that wait at the same moment share one statement, one transaction and one
 * round trip, and each gets its own outcome.
 *
 * <p>There are a few <i>lanes</i>. An append that finds all of them free goes at once. The others
 * wait; when a lane gets free, the first of them becomes its leader and takes along all who wait.
 * An append that nobody came just before goes at once, and there is no thread but the callers'.
 *
 * <p>The more wait, the less each of them costs, so there is one lane as long as its commits are
 * quick and small. Another one opens when an append has waited for {@value #PATIENCE_MICROS}
 * microseconds, because the disk or the network is slow then, or somebody holds one of the streams
 * open; and at once when as many events wait as a lane has under way, and at least {@value
 * #FULL_GROUP}, which gain little from waiting for more. It closes when neither is so any more.
 *
 * <p>Two appends to the same stream are never under way at the same time, so that within a process
 * they meet in order instead of failing each other. A group that fails as a whole, because an
 * append of another process came between, or holds a stream open, has stored nothing; its members
 * then go alone, each on a connection of its own, and until then who comes to their streams waits
 * without one.
 */
final class AppendQueue {

  private static final Logger LOG = LoggerFactory.getLogger(AppendQueue.class);

  /** Waiting longer than this for somebody else's transaction is done outside of the lanes. */
  static final int LOCK_TIMEOUT_MILLIS = 100;

  /** More than a group takes on a near server, less than a person sees. */
  private static final int PATIENCE_MICROS = 3_000;

  /** Twice as many events as cost what a statement and a commit cost at least. */
  private static final int FULL_GROUP = 32;

  private static final long MAX_PATIENCE = 200_000_000L;

  private static final long KEEP_CONNECTION = 1_000_000_000L;

  private static final int MAX_APPENDS = 256;
  private static final int MAX_ITEMS = 2_048;
  private static final int MAX_BYTES = 4 << 20;

  private final Database database;
  private final AppendStatements statements;
  private final Appender alone;
  private final int lanes;

  private final ReentrantLock lock = new ReentrantLock();
  private final Deque<Waiting> waiting = new ArrayDeque<>();
  private final Set<String> streamsUnderWay = new HashSet<>();
  private int eventsWaiting;
  private int eventsUnderWay;
  private int lanesInUse;

  /** Signalled when as many wait as were there when the last group ended, or enough for a group. */
  private final Condition company = lock.newCondition();

  /** Leaders that have not gathered their groups yet. */
  private int gathering;

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
    this.lanes = lanes;
  }

  AppendResult append(ReadyAppend append) {
    Waiting mine = new Waiting(append, Thread.currentThread());
    enter(mine);
    while (mine.state == State.WAITS && !mine.await() && !opensLane(mine)) {
      // Others are as late; the next commit takes them all.
    }
    if (mine.state == State.LEADS) {
      lead(mine);
    }
    return finish(mine);
  }

  /** Leads if nothing is under way, or enough waits for one more lane; else waits. */
  private void enter(Waiting mine) {
    lock.lock();
    try {
      waiting.add(mine);
      eventsWaiting += mine.append.eventCount();
      if (lanesInUse < lanes
          && isWorthALane(lanesInUse)
          && !streamsUnderWay.contains(mine.append.stream())) {
        waiting.removeLast();
        openLane(mine);
        return;
      }
      if (gathering > 0 && hasCompany()) {
        company.signal();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Whether so much waits that a lane beside so many others pays. */
  private boolean isWorthALane(int others) {
    return others == 0 || (gathering == 0 && canGo(Math.max(FULL_GROUP, eventsUnderWay / others)));
  }

  /** Whether so many events wait that need not wait for the end of what is under way. */
  private boolean canGo(int events) {
    if (eventsWaiting < events) {
      return false;
    }
    Set<String> busy = new HashSet<>(streamsUnderWay);
    int left = events;
    for (Waiting each : waiting) {
      left -= busy.add(each.append.stream()) ? each.append.eventCount() : 0;
      if (left <= 0) {
        return true;
      }
    }
    return false;
  }

  /** Whether an append that has waited for long leads one more lane from now on. */
  private boolean opensLane(Waiting mine) {
    lock.lock();
    try {
      if (lanesInUse == lanes
          || streamsUnderWay.contains(mine.append.stream())
          || !waiting.remove(mine)) {
        return false;
      }
      openLane(mine);
      company.signal();
      return true;
    } finally {
      lock.unlock();
    }
  }

  private void openLane(Waiting leader) {
    makeLeader(leader);
    lanesInUse++;
    leader.state = State.LEADS;
  }

  private void makeLeader(Waiting leader) {
    putUnderWay(leader);
    gathering++;
  }

  /** To be called for who was taken from those who wait, and whose stream is free. */
  private void putUnderWay(Waiting each) {
    streamsUnderWay.add(each.append.stream());
    eventsWaiting -= each.append.eventCount();
    eventsUnderWay += each.append.eventCount();
  }

  /** The new leader of a lane takes along who waits, as far as streams and sizes allow. */
  private void gather(Waiting leader, List<Waiting> group) {
    int events = leader.append.eventCount();
    int messages = leader.append.messageCount();
    long bytes = leader.append.bytes();
    lock.lock();
    try {
      awaitCompany();
      Iterator<Waiting> others = waiting.iterator();
      while (others.hasNext() && group.size() < MAX_APPENDS) {
        Waiting other = others.next();
        if (events + other.append.eventCount() <= MAX_ITEMS
            && messages + other.append.messageCount() <= MAX_ITEMS
            && bytes + other.append.bytes() <= MAX_BYTES
            && !streamsUnderWay.contains(other.append.stream())) {
          events += other.append.eventCount();
          messages += other.append.messageCount();
          bytes += other.append.bytes();
          others.remove();
          putUnderWay(other);
          group.add(other);
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

  /**
   * Those whose appends have just ended together often append again at once, and a commit for all
   * of them costs little more than one for the first who is back. So a leader that comes right
   * behind a group waits for them, for up to half the time that the group took, and never for as
   * long as makes the others impatient. One that comes later, or behind a single append, waits for
   * nobody.
   */
  private void awaitCompany() {
    long most = Math.min(groupNanos / 2, PATIENCE_MICROS * 1_000L);
    long left = groupEnd + most - System.nanoTime();
    boolean interrupted = false;
    while (lanesInUse == 1 && !hasCompany() && left > 0) {
      try {
        left = company.awaitNanos(left);
      } catch (InterruptedException e) {
        interrupted = true;
        left = 0;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** For the only leader, so that what is under way is its own append. */
  private boolean hasCompany() {
    return waiting.size() + 1 >= lively || canGo(FULL_GROUP - eventsUnderWay);
  }

  private void lead(Waiting leader) {
    long begin = System.nanoTime();
    List<Waiting> group = new ArrayList<>();
    group.add(leader);
    @Nullable LaneConnection connection = leader.connection;
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
      for (Waiting member : group) {
        // Also after an Error of the leader: nobody may wait for ever.
        if (member.state == State.WAITS || member.state == State.LEADS) {
          member.state = State.GOES_ALONE;
        }
      }
      Waiting next = leave(group, begin);
      if (next != null) {
        next.connection = connection;
        next.become(State.LEADS);
      } else if (connection != null) {
        connection.close();
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

  /** Returns the connection for the next leader, if it is still good for that. */
  private @Nullable LaneConnection run(Waiting leader, List<Waiting> group) {
    @Nullable LaneConnection lane = leader.connection;
    boolean good = false;
    try {
      if (lane == null) {
        lane = new LaneConnection(database.open(), System.nanoTime());
      }
      List<ReadyAppend> appends = new ArrayList<>(group.size());
      for (Waiting member : group) {
        appends.add(member.append);
      }
      @Nullable AppendResult[] results = statements.run(lane.connection, appends);
      for (int i = 0; i < results.length; i++) {
        Waiting member = group.get(i);
        member.result = results[i];
        member.state = results[i] != null ? State.DONE : State.REFUSED;
      }
      good = System.nanoTime() - lane.since < KEEP_CONNECTION;
    } catch (SQLException e) {
      // What an interrupt of the leader has broken is known to the leader only; the others repeat
      // their appends, which stores nothing twice.
      boolean interrupted = Thread.currentThread().isInterrupted();
      for (Waiting member : group) {
        boolean goesOn = Failures.isRefusal(e) || (interrupted && member != leader);
        member.failure = e;
        member.state = goesOn ? State.GOES_ALONE : State.FAILED;
      }
    } catch (RuntimeException | Error e) {
      // The others go alone.
      leader.state = State.FAILED;
      throw e;
    } finally {
      if (lane != null && !good) {
        lane.close();
      }
    }
    return good ? lane : null;
  }

  /** Frees the lane, or hands it on. */
  private @Nullable Waiting leave(List<Waiting> group, long begin) {
    lock.lock();
    try {
      lively = group.size() == 1 ? 0 : group.size() + waiting.size();
      groupEnd = System.nanoTime();
      groupNanos = groupEnd - begin;
      for (Waiting member : group) {
        eventsUnderWay -= member.append.eventCount();
        // Who goes alone keeps the stream until it is done. Maybe somebody holds it open, and the
        // next to come would make a whole group wait for nothing, and take another connection.
        if (member.state != State.GOES_ALONE) {
          streamsUnderWay.remove(member.append.stream());
        }
      }
      @Nullable Waiting next = isWorthKeeping() ? nextLeader() : null;
      if (next == null) {
        lanesInUse--;
      }
      return next;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Whether a lane that has ended a group goes on. The last one always does; the others for less
   * than opens one, so that they don't come and go.
   */
  private boolean isWorthKeeping() {
    @Nullable Waiting first = waiting.peek();
    return first != null && (lanesInUse == 1 || canGo(FULL_GROUP / 4) || first.isImpatient());
  }

  private @Nullable Waiting nextLeader() {
    Iterator<Waiting> candidates = waiting.iterator();
    while (candidates.hasNext()) {
      Waiting candidate = candidates.next();
      if (!streamsUnderWay.contains(candidate.append.stream())) {
        candidates.remove();
        makeLeader(candidate);
        return candidate;
      }
    }
    return null;
  }

  private AppendResult goAlone(String doing, ReadyAppend append) {
    @Nullable Waiting next = null;
    try {
      return database.call(doing, connection -> alone.append(connection, append));
    } finally {
      lock.lock();
      try {
        streamsUnderWay.remove(append.stream());
        if (lanesInUse == 0) {
          next = nextLeader();
          lanesInUse += next == null ? 0 : 1;
        }
      } finally {
        lock.unlock();
      }
      if (next != null) {
        next.become(State.LEADS);
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
      return goAlone(doing, mine.append);
    }
    return database.call(
        doing,
        connection -> {
          @Nullable AppendResult explained = alone.explain(connection, mine.append);
          return explained != null ? explained : alone.append(connection, mine.append);
        });
  }

  /**
   * A lane keeps its connection from group to group: the server's process behind it has the plan
   * and the tables' data at hand. Only for a while, because pools suspect who keeps one.
   */
  private record LaneConnection(Connection connection, long since) {
    void close() {
      try {
        connection.close();
      } catch (SQLException e) {
        LOG.debug("A connection could not be given back", e);
      }
    }
  }

  private enum State {
    WAITS,
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
    private @Nullable LaneConnection connection;
    private long patience = PATIENCE_MICROS * 1_000L;
    private volatile State state = State.WAITS;

    Waiting(ReadyAppend append, Thread thread) {
      this.append = append;
      this.thread = thread;
    }

    /**
     * Waits, for a while, to be told what comes next. Not interruptible: it may be too late to
     * withdraw, and then the caller has to learn what was stored.
     *
     * @return whether it was told
     */
    boolean await() {
      boolean interrupted = false;
      long end = System.nanoTime() + patience;
      patience = Math.min(2 * patience, MAX_PATIENCE);
      long left = end - System.nanoTime();
      while (state == State.WAITS && left > 0) {
        LockSupport.parkNanos(this, left);
        interrupted |= Thread.interrupted();
        left = end - System.nanoTime();
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
      return state != State.WAITS;
    }

    boolean isImpatient() {
      return System.nanoTime() - since > PATIENCE_MICROS * 1_000L;
    }

    void become(State next) {
      state = next;
      LockSupport.unpark(thread);
    }
  }
}
