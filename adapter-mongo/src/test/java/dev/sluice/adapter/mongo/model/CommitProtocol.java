package dev.sluice.adapter.mongo.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiConsumer;

/**
 * The way a commit takes into the store, as a state machine small enough to try every interleaving.
 *
 * <p>One transition is one thing that the server does atomically, or one decision of a process.
 * What the model leaves to chance is what a network and a scheduler leave to chance: which step
 * comes next, whether a reply arrives, when a request that its sender gave up is executed after
 * all, who dies, and when a reader loses its patience with a hole. No transition looks at a clock:
 * if a guarantee holds here, the length of the grace cannot break it.
 *
 * <p>The writer: <i>check</i> the stream's tail, <i>draw</i> a position, <i>insert</i>; on a
 * duplicate key, or without an answer in time, <i>fill</i> the own position, <i>look</i> for the
 * own event ids, start again.
 */
final class CommitProtocol {

  /** One append: {@code expected} is a version or {@link #ANY}. Its event ids are its own. */
  record Append(int stream, int size, int expected) {}

  static final int ANY = -1;

  /** What is taken away to see that the search notices. */
  enum Without {
    UNIQUE_POSITION_FOR_COMMITS,
    UNIQUE_POSITION_FOR_FILLERS,
    FILLERS,
    FILLERS_THAT_ONLY_INSERT,
    RETRY_AFTER_A_DUPLICATE_KEY,
    NOTICING_A_DUPLICATE_KEY,
    CHECK_BEFORE_DRAW,
    CHECK_OF_THE_TAIL,
    UNIQUE_STREAM_VERSION,
    UNIQUE_EVENT_IDS,
    LOOK_FOR_OWN_IDS,
    OWN_HOLE_FILLED,
    STOP_AT_A_HOLE,
    BOUND_BEFORE_QUERY,
    POSITION_ABOVE_THE_TAIL,
    JOURNALED_TAIL,
    JOURNALED_REPEAT,
    JOURNALED_READ,
    READ_STILL_THERE
  }

  /** The appends, and how often each kind of misfortune may strike in one run. */
  record Scenario(
      List<Append> appends,
      int crashes,
      int lostReplies,
      int earlyFills,
      int counterLosses,
      int serverCrashes) {

    static Scenario of(Append... appends) {
      return new Scenario(List.of(appends), 0, 0, 0, 0, 0);
    }

    Scenario crashes(int n) {
      return new Scenario(appends, n, lostReplies, earlyFills, counterLosses, serverCrashes);
    }

    Scenario lostReplies(int n) {
      return new Scenario(appends, crashes, n, earlyFills, counterLosses, serverCrashes);
    }

    /** Fillers that are put while the position's writer may still be on its way. */
    Scenario earlyFills(int n) {
      return new Scenario(appends, crashes, lostReplies, n, counterLosses, serverCrashes);
    }

    /** The counter goes back by one: a primary that is lost with the last draws. */
    Scenario counterLosses(int n) {
      return new Scenario(appends, crashes, lostReplies, earlyFills, n, serverCrashes);
    }

    /**
     * A standalone shows what its journal does not have yet, and loses some of it. The journal is
     * one, so it would lose the last of it; here it may be any of it, which is worse.
     */
    Scenario serverCrashes(int n) {
      return new Scenario(appends, crashes, lostReplies, earlyFills, counterLosses, n);
    }

    boolean undisturbed() {
      return crashes == 0 && lostReplies == 0 && counterLosses == 0 && serverCrashes == 0;
    }
  }

  /** A guarantee that does not hold. */
  static final class Violation extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Violation(String message) {
      super(message);
    }
  }

  // What a writer does next.
  private static final int CHECK = 0;
  private static final int DRAW = 1;
  private static final int WAIT = 2;
  private static final int FILL = 3;
  private static final int LOOK = 4;
  private static final int LOOK_BEFORE_CONFLICT = 5;
  private static final int STORED = 6;
  private static final int CONFLICT = 7;
  private static final int DEAD = 8;

  private static final int NO_REPLY = 0;
  private static final int INSERTED = 1;
  private static final int DUPLICATE_KEY = 2;

  private static final int FILLER = 15;
  private static final int POSITIONS = 12;
  private static final int READERS = 2;

  private final Scenario scenario;
  private final Set<Without> without;
  private final boolean readersFill;
  private final boolean journalLags;

  CommitProtocol(Scenario scenario, boolean readersFill, Without... without) {
    this.scenario = scenario;
    this.readersFill = readersFill;
    this.journalLags = scenario.serverCrashes() > 0;
    this.without =
        without.length == 0 ? EnumSet.noneOf(Without.class) : EnumSet.copyOf(List.of(without));
  }

  State initial() {
    return new State(scenario);
  }

  private boolean has(Without part) {
    return !without.contains(part);
  }

  /** Everything that can differ between two moments; {@link #key()} packs it. */
  static final class State {
    int counter;
    final int crashes;
    final int lostReplies;
    final int earlyFills;
    final int counterLosses;
    // Positions 1..POSITIONS: 0 is a hole, FILLER, or 1 + the append whose commit stands there.
    final int[] document = new int[POSITIONS + 1];
    final int[] first = new int[POSITIONS + 1];
    final int[] pc;
    final boolean[] fresh;
    final int[] tail;
    final int[] tailPosition;
    final int[] position;
    final int[] reply;
    // Requests between writer and server: [append][0] the current one, [1] one that was given up.
    final int[][] requestPosition;
    final int[][] requestFirst;
    // Reader 0 reads everything, reader 1 through a filter (bound first, then the query).
    final int[] next = {1, 1};
    final int[] fillTarget = new int[READERS];
    int filteredBound;
    int filteredSnapshot;
    int serverCrashes;
    // A bit for each position whose document the journal does not have.
    int unjournaled;
    // What reader 0 has seen, and does not give away yet.
    int shown;

    State(Scenario s) {
      this(s.appends().size(), s.crashes(), s.lostReplies(), s.earlyFills(), s.counterLosses());
      serverCrashes = s.serverCrashes();
    }

    private State(int appends, int crashes, int lostReplies, int earlyFills, int counterLosses) {
      this.crashes = crashes;
      this.lostReplies = lostReplies;
      this.earlyFills = earlyFills;
      this.counterLosses = counterLosses;
      pc = new int[appends];
      fresh = new boolean[appends];
      tail = new int[appends];
      tailPosition = new int[appends];
      position = new int[appends];
      reply = new int[appends];
      requestPosition = new int[appends][2];
      requestFirst = new int[appends][2];
    }

    State copy() {
      return copy(crashes, lostReplies, earlyFills, counterLosses);
    }

    State copy(int crashes, int lostReplies, int earlyFills, int counterLosses) {
      State s = new State(pc.length, crashes, lostReplies, earlyFills, counterLosses);
      s.counter = counter;
      System.arraycopy(document, 0, s.document, 0, document.length);
      System.arraycopy(first, 0, s.first, 0, first.length);
      System.arraycopy(pc, 0, s.pc, 0, pc.length);
      System.arraycopy(fresh, 0, s.fresh, 0, pc.length);
      System.arraycopy(tail, 0, s.tail, 0, pc.length);
      System.arraycopy(tailPosition, 0, s.tailPosition, 0, pc.length);
      System.arraycopy(position, 0, s.position, 0, pc.length);
      System.arraycopy(reply, 0, s.reply, 0, pc.length);
      for (int w = 0; w < pc.length; w++) {
        System.arraycopy(requestPosition[w], 0, s.requestPosition[w], 0, 2);
        System.arraycopy(requestFirst[w], 0, s.requestFirst[w], 0, 2);
      }
      System.arraycopy(next, 0, s.next, 0, READERS);
      System.arraycopy(fillTarget, 0, s.fillTarget, 0, READERS);
      s.filteredBound = filteredBound;
      s.filteredSnapshot = filteredSnapshot;
      s.serverCrashes = serverCrashes;
      s.unjournaled = unjournaled;
      s.shown = shown;
      return s;
    }

    /** Four bits per small number: equal keys are equal states, nothing is hashed away. */
    Key key() {
      Packer p = new Packer();
      p.put(counter);
      p.put(crashes * 4 + lostReplies);
      p.put(earlyFills * 4 + counterLosses);
      for (int i = 1; i <= POSITIONS; i++) {
        p.put(document[i]);
        p.put(first[i]);
      }
      for (int w = 0; w < pc.length; w++) {
        p.put(pc[w]);
        p.put((fresh[w] ? 4 : 0) + reply[w]);
        p.put(tail[w]);
        p.put(tailPosition[w]);
        p.put(position[w]);
        for (int r = 0; r < 2; r++) {
          p.put(requestPosition[w][r]);
          p.put(requestFirst[w][r]);
        }
      }
      for (int r = 0; r < READERS; r++) {
        p.put(next[r]);
        p.put(fillTarget[r]);
      }
      p.put(filteredBound);
      p.put(serverCrashes);
      p.put(shown);
      for (int bits = unjournaled >> 1, i = 0; i < 3; i++, bits >>= 4) {
        p.put(bits & 15);
      }
      for (int bits = filteredSnapshot, i = 0; i < 4; i++, bits >>= 4) {
        p.put(bits & 15);
      }
      return p.key();
    }
  }

  record Key(long a, long b, long c, long d, long e) {
    /** Neighbouring states differ in a few bits, which the default hash folds onto each other. */
    @Override
    public int hashCode() {
      long h = 0;
      for (long word : new long[] {a, b, c, d, e}) {
        h = (h ^ word) * 0x9E3779B97F4A7C15L;
        h ^= h >>> 32;
      }
      return (int) h;
    }
  }

  private static final class Packer {
    private final long[] words = new long[5];
    private int count;

    void put(int value) {
      if (value < 0 || value > 15) {
        throw new IllegalStateException("too large for the packed state: " + value);
      }
      words[count >> 4] |= ((long) value) << ((count & 15) * 4);
      count++;
    }

    Key key() {
      return new Key(words[0], words[1], words[2], words[3], words[4]);
    }
  }

  /**
   * Calls {@code found} with each state that can follow and the name of the step.
   *
   * @return whether anything but a misfortune can still happen
   */
  boolean successors(State s, BiConsumer<State, String> found) {
    boolean[] live = {false};
    BiConsumer<State, String> step =
        (t, name) -> {
          live[0] = true;
          found.accept(t, name);
        };
    for (int w = 0; w < s.pc.length; w++) {
      write(s, w, step, found);
      for (int r = 0; r < 2; r++) {
        if (s.requestPosition[w][r] != 0) {
          State t = s.copy();
          execute(t, w, r);
          step.accept(
              t, "server executes the insert of " + w + (r == 1 ? ", given up before" : ""));
        }
      }
    }
    for (int r = 0; r < READERS; r++) {
      read(s, r, step);
    }
    for (int p = 1; p <= POSITIONS; p++) {
      if ((s.unjournaled & (1 << p)) != 0) {
        State t = s.copy();
        journal(t, p);
        step.accept(t, "the journal takes " + p);
      }
    }
    if (s.serverCrashes > 0) {
      for (int lost = s.unjournaled; lost > 0; lost = (lost - 1) & s.unjournaled) {
        State t = s.copy();
        crash(t, lost);
        found.accept(
            t, "the server dies and loses the positions of " + Integer.toBinaryString(lost));
      }
    }
    if (s.counterLosses > 0 && s.counter > 0) {
      State t = s.copy(s.crashes, s.lostReplies, s.earlyFills, s.counterLosses - 1);
      t.counter--;
      found.accept(t, "the counter loses a draw");
    }
    return live[0];
  }

  private void write(
      State s, int w, BiConsumer<State, String> step, BiConsumer<State, String> misfortune) {
    Append append = scenario.appends().get(w);
    switch (s.pc[w]) {
      case CHECK -> {
        if (has(Without.CHECK_BEFORE_DRAW) || s.position[w] != 0) {
          check(s, w, append, step);
        } else {
          draw(s, w, CHECK, step);
        }
      }
      case DRAW -> {
        if (has(Without.CHECK_BEFORE_DRAW)) {
          draw(s, w, WAIT, step);
        } else {
          State t = s.copy();
          send(t, w);
          step.accept(t, w + " sends its insert");
        }
      }
      case WAIT -> {
        if (s.reply[w] == INSERTED) {
          State t = s.copy();
          stored(t, w, t.position[w], t.tail[w] + 1);
          step.accept(t, w + " learns that it is stored");
        } else if (s.reply[w] == DUPLICATE_KEY) {
          State t = s.copy();
          afterDuplicateKey(t, w, append);
          step.accept(t, w + " learns of a duplicate key");
        }
      }
      case FILL -> {
        State t = s.copy();
        if (t.document[t.position[w]] == 0 && has(Without.OWN_HOLE_FILLED)) {
          t.document[t.position[w]] = FILLER;
        }
        t.pc[w] = LOOK;
        step.accept(t, w + " fills its own position");
      }
      case LOOK, LOOK_BEFORE_CONFLICT -> {
        State t = s.copy();
        int found = has(Without.LOOK_FOR_OWN_IDS) ? find(t, w) : 0;
        if (found != 0) {
          if (has(Without.JOURNALED_REPEAT)) {
            journal(t, found);
          }
          stored(t, w, found, t.first[found]);
        } else if (t.pc[w] == LOOK) {
          restart(t, w, true);
        } else {
          conflict(t, w, append);
        }
        step.accept(t, w + " looks for its own event ids");
      }
      default -> {}
    }
    if (s.pc[w] < STORED && s.crashes > 0) {
      State t = s.copy(s.crashes - 1, s.lostReplies, s.earlyFills, s.counterLosses);
      t.pc[w] = DEAD;
      misfortune.accept(t, w + " dies, its request stays on the way");
      if (s.requestPosition[w][0] != 0) {
        State u = t.copy();
        u.requestPosition[w][0] = 0;
        u.requestFirst[w][0] = 0;
        misfortune.accept(u, w + " dies with its request");
      }
    }
    // Only one given-up request at a time is modelled; a second one would need a third attempt.
    if (s.pc[w] == WAIT && s.lostReplies > 0 && s.requestPosition[w][1] == 0) {
      State t = s.copy(s.crashes, s.lostReplies - 1, s.earlyFills, s.counterLosses);
      t.requestPosition[w][1] = t.requestPosition[w][0];
      t.requestFirst[w][1] = t.requestFirst[w][0];
      restart(t, w, false);
      misfortune.accept(t, w + " gets no reply; the caller repeats with the same ids");
      State u = s.copy(s.crashes, s.lostReplies - 1, s.earlyFills, s.counterLosses);
      u.requestPosition[w][1] = u.requestPosition[w][0];
      u.requestFirst[w][1] = u.requestFirst[w][0];
      u.requestPosition[w][0] = 0;
      u.requestFirst[w][0] = 0;
      u.reply[w] = NO_REPLY;
      u.pc[w] = FILL;
      misfortune.accept(u, w + " has waited long enough for its reply and settles its position");
    }
  }

  /** A first check may be a remembered one: any tail that the stream ever had. */
  private void check(State s, int w, Append append, BiConsumer<State, String> step) {
    int current = tail(s, append.stream());
    if (!has(Without.CHECK_OF_THE_TAIL) && append.expected() != ANY) {
      checked(s, w, append.expected(), 0, "does not look at the tail", step);
      return;
    }
    if (append.expected() == ANY || append.expected() == lastVersion(s, current)) {
      checked(s, w, lastVersion(s, current), current, "checks the tail", step);
    } else {
      State t = s.copy();
      t.pc[w] = LOOK_BEFORE_CONFLICT;
      t.tail[w] = lastVersion(s, current);
      if (has(Without.JOURNALED_TAIL)) {
        journal(t, current);
      }
      step.accept(t, w + " finds another version than expected");
    }
    if (!s.fresh[w]) {
      for (int p = 0; p <= POSITIONS; p++) {
        boolean ofStream = p == 0 || (isCommit(s, p) && streamAt(s, p) == append.stream());
        int version = ofStream ? lastVersion(s, p) : -2;
        boolean safe = (s.unjournaled & (1 << p)) == 0 || !has(Without.JOURNALED_TAIL);
        if (ofStream
            && safe
            && p != current
            && (append.expected() == ANY || append.expected() == version)) {
          checked(s, w, version, p, "remembers an old tail", step);
        }
      }
    }
  }

  private void checked(
      State s, int w, int version, int position, String how, BiConsumer<State, String> step) {
    State t = s.copy();
    if (has(Without.JOURNALED_TAIL)) {
      // Only if it is still there, in one command: so this is one moment, that of this command.
      journal(t, position);
    }
    t.tail[w] = version;
    t.tailPosition[w] = position;
    t.pc[w] = DRAW;
    step.accept(t, w + " " + how + ": " + version);
  }

  private void draw(State s, int w, int then, BiConsumer<State, String> step) {
    if (s.counter >= POSITIONS) {
      throw new IllegalStateException("the scenario draws more positions than the model holds");
    }
    State t = s.copy();
    t.counter++;
    if (then == CHECK || !has(Without.POSITION_ABOVE_THE_TAIL) || t.counter > t.tailPosition[w]) {
      t.position[w] = t.counter;
      if (then == WAIT) {
        send(t, w);
      }
    }
    step.accept(t, w + " draws " + t.counter);
  }

  private static void send(State t, int w) {
    t.requestPosition[w][0] = t.position[w];
    t.requestFirst[w][0] = t.tail[w] + 1;
    t.reply[w] = NO_REPLY;
    t.pc[w] = WAIT;
  }

  private static void restart(State t, int w, boolean fresh) {
    t.pc[w] = CHECK;
    t.fresh[w] = fresh;
    t.position[w] = 0;
    t.tail[w] = 0;
    t.tailPosition[w] = 0;
    t.reply[w] = NO_REPLY;
    t.requestPosition[w][0] = 0;
    t.requestFirst[w][0] = 0;
  }

  private void afterDuplicateKey(State t, int w, Append append) {
    if (!has(Without.NOTICING_A_DUPLICATE_KEY)) {
      stored(t, w, t.position[w], t.tail[w] + 1);
    } else if (!has(Without.RETRY_AFTER_A_DUPLICATE_KEY)) {
      t.tail[w] = lastVersion(t, tail(t, append.stream()));
      conflict(t, w, append);
    } else {
      t.pc[w] = FILL;
    }
  }

  /** One insert, as atomic as the server makes it: three unique indexes, all or nothing. */
  private void execute(State t, int w, int r) {
    int p = t.requestPosition[w][r];
    int firstVersion = t.requestFirst[w][r];
    t.requestPosition[w][r] = 0;
    t.requestFirst[w][r] = 0;
    boolean taken =
        (isCommit(t, p) && has(Without.UNIQUE_POSITION_FOR_COMMITS))
            || (t.document[p] == FILLER && has(Without.UNIQUE_POSITION_FOR_FILLERS));
    boolean sameVersion = false;
    boolean sameIds = false;
    for (int q = 1; q <= POSITIONS; q++) {
      if (isCommit(t, q)) {
        sameIds |= t.document[q] == w + 1;
        sameVersion |=
            t.first[q] == firstVersion && streamAt(t, q) == scenario.appends().get(w).stream();
      }
    }
    if (taken
        || (sameVersion && has(Without.UNIQUE_STREAM_VERSION))
        || (sameIds && has(Without.UNIQUE_EVENT_IDS))) {
      if (r == 0) {
        t.reply[w] = DUPLICATE_KEY;
      }
      return;
    }
    t.document[p] = w + 1;
    t.first[p] = firstVersion;
    if (journalLags) {
      t.unjournaled |= 1 << p;
    } else if (r == 0) {
      t.reply[w] = INSERTED;
    }
    for (int reader = 0; reader < READERS; reader++) {
      if (p < t.next[reader]) {
        throw new Violation("G2: reader " + reader + " has passed " + p + ", and it appears now");
      }
    }
    if (sameIds) {
      throw new Violation("S6: append " + w + " is stored twice");
    }
    if (t.pc[w] == CONFLICT) {
      throw new Violation("S4: append " + w + " was refused, and is stored after that");
    }
    versionsFollowPositions(t, scenario.appends().get(w).stream());
  }

  /** Whoever waits for it gets the reply now. */
  private static void journal(State t, int p) {
    if ((t.unjournaled & (1 << p)) != 0) {
      t.unjournaled &= ~(1 << p);
      int w = t.document[p] - 1;
      if (isCommit(t, p) && t.pc[w] == WAIT && t.position[w] == p) {
        t.reply[w] = INSERTED;
      }
    }
  }

  /** Requests are lost with it, and callers without a reply repeat. */
  private void crash(State t, int lost) {
    t.serverCrashes--;
    t.unjournaled = 0;
    for (int p = 1; p <= POSITIONS; p++) {
      if ((lost & (1 << p)) != 0) {
        for (int r = 0; r < READERS; r++) {
          if (p < t.next[r]) {
            throw new Violation("G2: reader " + r + " was given " + p + ", and it is gone");
          }
        }
        if (isCommit(t, p) && t.pc[t.document[p] - 1] == STORED) {
          throw new Violation("S1: the acknowledged append " + (t.document[p] - 1) + " is gone");
        }
        t.document[p] = 0;
        t.first[p] = 0;
      }
    }
    for (int w = 0; w < t.pc.length; w++) {
      Arrays.fill(t.requestPosition[w], 0);
      Arrays.fill(t.requestFirst[w], 0);
      if (t.pc[w] == WAIT && t.reply[w] == NO_REPLY) {
        restart(t, w, false);
      }
    }
    scenario.appends().forEach(append -> versionsFollowPositions(t, append.stream()));
  }

  private void versionsFollowPositions(State t, int stream) {
    int version = 0;
    for (int p = 1; p <= POSITIONS; p++) {
      if (isCommit(t, p) && streamAt(t, p) == stream) {
        if (t.first[p] != version + 1) {
          throw new Violation(
              "S2/G1: at position " + p + " version " + t.first[p] + " follows " + version);
        }
        version = lastVersion(t, p);
      }
    }
  }

  private void read(State s, int r, BiConsumer<State, String> step) {
    if (s.fillTarget[r] != 0) {
      State t = s.copy();
      int p = t.fillTarget[r];
      t.fillTarget[r] = 0;
      if (t.document[p] == 0) {
        t.document[p] = FILLER;
        t.unjournaled |= journalLags ? 1 << p : 0;
      } else if (!has(Without.FILLERS_THAT_ONLY_INSERT) && isCommit(t, p)) {
        int w = t.document[p] - 1;
        t.document[p] = FILLER;
        t.first[p] = 0;
        if (t.pc[w] == STORED) {
          throw new Violation("S1: a filler removed the acknowledged append " + w);
        }
      }
      step.accept(t, "reader " + r + " puts a filler at " + p);
    }
    if (r == 1) {
      readFiltered(s, step);
    } else if (s.shown != 0) {
      State t = s.copy();
      settle(t);
      step.accept(t, "reader " + r + " gives away " + s.shown + ", if it is there");
    } else if (s.next[r] <= POSITIONS && s.document[s.next[r]] != 0) {
      State t = s.copy();
      if (journalLags) {
        t.shown = t.next[r];
      } else {
        t.next[r]++;
      }
      step.accept(t, "reader " + r + " reads " + s.next[r]);
    }
    if (s.fillTarget[r] == 0 && s.filteredBound == 0 && holeAt(s, s.next[r])) {
      if (!has(Without.STOP_AT_A_HOLE)) {
        State t = s.copy();
        t.next[r]++;
        step.accept(t, "reader " + r + " skips " + s.next[r]);
      } else if (readersFill && has(Without.FILLERS)) {
        boolean early = onItsWay(s, s.next[r]);
        if (!early || s.earlyFills > 0) {
          State t =
              early
                  ? s.copy(s.crashes, s.lostReplies, s.earlyFills - 1, s.counterLosses)
                  : s.copy();
          t.fillTarget[r] = s.next[r];
          step.accept(t, "reader " + r + " loses its patience with " + s.next[r]);
        }
      }
    }
  }

  /** What reader 0 was shown. */
  private void settle(State t) {
    boolean there = t.document[t.shown] != 0;
    if (there && has(Without.JOURNALED_READ)) {
      journal(t, t.shown);
    }
    if (there || !has(Without.READ_STILL_THERE)) {
      t.next[0]++;
    }
    t.shown = 0;
  }

  /** Two requests: how far there is no hole, and the query up to there. */
  private void readFiltered(State s, BiConsumer<State, String> step) {
    if (s.filteredBound == 0) {
      if (s.next[1] <= POSITIONS && s.document[s.next[1]] != 0) {
        State t = s.copy();
        t.filteredBound = has(Without.BOUND_BEFORE_QUERY) ? bound(s) : 1;
        t.filteredSnapshot = has(Without.BOUND_BEFORE_QUERY) ? 0 : present(s);
        for (int p = s.next[1]; p <= t.filteredBound && has(Without.JOURNALED_READ); p++) {
          journal(t, p);
        }
        step.accept(t, "reader 1 makes its first request");
      }
      return;
    }
    State t = s.copy();
    int bound = has(Without.BOUND_BEFORE_QUERY) ? s.filteredBound : bound(s);
    int seen = has(Without.BOUND_BEFORE_QUERY) ? present(s) : s.filteredSnapshot;
    for (int p = s.next[1]; p <= bound; p++) {
      if (isCommit(s, p) && (seen & (1 << p)) == 0) {
        throw new Violation("G2: reader 1 moves past " + p + " and has not seen it");
      }
    }
    t.next[1] = bound + 1;
    t.filteredBound = 0;
    t.filteredSnapshot = 0;
    step.accept(t, "reader 1 reads up to " + bound);
  }

  private static int bound(State s) {
    int p = s.next[1];
    while (p <= POSITIONS && s.document[p] != 0) {
      p++;
    }
    return p - 1;
  }

  private static int present(State s) {
    int bits = 0;
    for (int p = 1; p <= POSITIONS; p++) {
      bits |= s.document[p] != 0 ? 1 << p : 0;
    }
    return bits;
  }

  private static boolean holeAt(State s, int p) {
    if (p > POSITIONS || s.document[p] != 0) {
      return false;
    }
    for (int q = p + 1; q <= POSITIONS; q++) {
      if (s.document[q] != 0) {
        return true;
      }
    }
    return false;
  }

  private static boolean onItsWay(State s, int p) {
    for (int w = 0; w < s.pc.length; w++) {
      if (s.requestPosition[w][0] == p || s.requestPosition[w][1] == p) {
        return true;
      }
      if (s.position[w] == p && s.pc[w] < STORED) {
        return true;
      }
    }
    return false;
  }

  private static void stored(State t, int w, int position, int firstVersion) {
    if (t.document[position] != w + 1 || t.first[position] != firstVersion) {
      throw new Violation(
          "S1: append " + w + " is acknowledged at " + position + " and does not stand there");
    }
    finish(t, w, STORED, position);
  }

  private void conflict(State t, int w, Append append) {
    if (find(t, w) != 0) {
      throw new Violation("S6: append " + w + " is refused as a conflict, and is stored");
    }
    if (append.expected() == ANY || t.tail[w] == append.expected()) {
      throw new Violation("S4/S5: append " + w + " is refused without a conflict");
    }
    finish(t, w, CONFLICT, 0);
  }

  private static void finish(State t, int w, int outcome, int position) {
    restart(t, w, false);
    t.pc[w] = outcome;
    t.position[w] = position;
  }

  /** To be called with a state in which only a misfortune could still happen. */
  void atRest(State s) {
    for (int w = 0; w < s.pc.length; w++) {
      int outcome = s.pc[w];
      if (outcome < STORED) {
        throw new Violation("append " + w + " never ends");
      }
      if (outcome == STORED) {
        int p = s.position[w];
        if (s.document[p] != w + 1) {
          throw new Violation("S1: the acknowledged append " + w + " is lost");
        }
        for (int r = 0; r < READERS; r++) {
          if (s.next[r] <= p) {
            throw new Violation(
                "G3: reader " + r + " stands at " + s.next[r] + " and never sees append " + w);
          }
        }
      }
      if (outcome == CONFLICT && find(s, w) != 0) {
        throw new Violation("S4: append " + w + " was refused, and is stored");
      }
    }
    if (scenario.undisturbed()) {
      exactlyOneWins(s);
    }
  }

  private void exactlyOneWins(State s) {
    for (Append wanted : scenario.appends()) {
      if (wanted.expected() == ANY) {
        continue;
      }
      int winners = 0;
      boolean reached = wanted.expected() == 0;
      for (int w = 0; w < s.pc.length; w++) {
        Append append = scenario.appends().get(w);
        boolean same = append.stream() == wanted.stream();
        if (same && s.pc[w] == STORED) {
          reached |= lastVersion(s, s.position[w]) == wanted.expected();
          winners += s.first[s.position[w]] == wanted.expected() + 1 ? 1 : 0;
        }
      }
      if (winners > 1 || (winners == 0 && reached)) {
        throw new Violation("S4: " + winners + " appends follow version " + wanted.expected());
      }
    }
  }

  private int tail(State s, int stream) {
    int tail = 0;
    for (int p = 1; p <= POSITIONS; p++) {
      if (isCommit(s, p) && streamAt(s, p) == stream && (tail == 0 || s.first[p] > s.first[tail])) {
        tail = p;
      }
    }
    return tail;
  }

  private int lastVersion(State s, int p) {
    return p == 0 ? 0 : s.first[p] + scenario.appends().get(s.document[p] - 1).size() - 1;
  }

  private int streamAt(State s, int p) {
    return scenario.appends().get(s.document[p] - 1).stream();
  }

  private static int find(State s, int w) {
    for (int p = 1; p <= POSITIONS; p++) {
      if (s.document[p] == w + 1) {
        return p;
      }
    }
    return 0;
  }

  private static boolean isCommit(State s, int p) {
    return s.document[p] != 0 && s.document[p] != FILLER;
  }

  /** How many states there are, once every interleaving was tried. */
  static int explore(CommitProtocol protocol) {
    return new Search(protocol).run();
  }

  private static final class Search {
    private final CommitProtocol protocol;
    private final Set<Key> known = new java.util.HashSet<>();
    private final List<String> path = new ArrayList<>();

    Search(CommitProtocol protocol) {
      this.protocol = protocol;
    }

    int run() {
      visit(protocol.initial());
      return known.size();
    }

    private void visit(State s) {
      if (!known.add(s.key())) {
        return;
      }
      boolean[] alive = {false};
      try {
        alive[0] =
            protocol.successors(
                s,
                (t, name) -> {
                  path.add(name);
                  visit(t);
                  path.remove(path.size() - 1);
                });
        if (!alive[0]) {
          protocol.atRest(s);
        }
      } catch (Violation v) {
        if (v.getSuppressed().length == 0) {
          v.addSuppressed(
              new Violation("after: " + String.join("; ", path) + Arrays.toString(s.document)));
        }
        throw v;
      }
    }
  }
}
