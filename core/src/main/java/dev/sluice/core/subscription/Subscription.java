package dev.sluice.core.subscription;

import dev.sluice.core.Position;
import dev.sluice.core.event.RecordedEvent;
import dev.sluice.core.event.StreamId;
import dev.sluice.core.store.EventFilter;
import dev.sluice.core.store.GlobalLog;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What is read for whom: a name, a choice of events, and who deals with them. Run it with {@link
 * Subscriptions#start}. Immutable.
 *
 * <p>Defaults: every event, from the beginning, batches of up to 2,000, one partition, {@link
 * FailurePolicy#STOP}.
 */
public final class Subscription {

  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._:-]{0,99}");

  private final String name;
  private final EventFilter filter;
  private final @Nullable StreamId stream;
  private final Start start;
  private final int batchSize;
  private final int partitions;
  private final FailurePolicy failures;
  private final Function<Partition, Consumer> consumer;

  private Subscription(Builder builder, Function<Partition, Consumer> consumer) {
    this.name = builder.name;
    this.filter = builder.filter;
    this.stream = builder.stream;
    this.start = builder.start;
    this.batchSize = builder.batchSize;
    this.partitions = builder.partitions;
    this.failures = builder.failures;
    this.consumer = consumer;
  }

  /**
   * Starts a definition.
   *
   * @param name under which its checkpoint is kept: 1 to 100 letters, digits, '.', '_', ':' or '-'.
   *     Processes that use the same name share the work.
   */
  public static Builder named(String name) {
    return new Builder(name);
  }

  /** The name. */
  public String name() {
    return name;
  }

  /** How many partitions it has. */
  public int partitions() {
    return partitions;
  }

  /** Which events it is about, apart from a single stream. */
  EventFilter filter() {
    return filter;
  }

  Optional<StreamId> stream() {
    return Optional.ofNullable(stream);
  }

  Start start() {
    return start;
  }

  int batchSize() {
    return batchSize;
  }

  FailurePolicy failures() {
    return failures;
  }

  Consumer consumerFor(Partition partition) {
    return consumer.apply(partition);
  }

  boolean matches(RecordedEvent event) {
    return filter.matches(event) && (stream == null || stream.equals(event.stream()));
  }

  /** Where a subscription without a checkpoint starts. */
  sealed interface Start {
    record At(Position position) implements Start {}

    record Now() implements Start {}
  }

  /** Who deals with the events. */
  sealed interface Consumer {
    record One(EventHandler handler) implements Consumer {}

    record Batch(BatchProcessor processor) implements Consumer {}
  }

  /** Collects a definition. Not safe for concurrent use. */
  public static final class Builder {

    private final String name;
    private EventFilter filter = EventFilter.ALL;
    private @Nullable StreamId stream;
    private Start start = new Start.At(Position.START);
    private int batchSize = 2_000;
    private int partitions = 1;
    private FailurePolicy failures = FailurePolicy.STOP;

    private Builder(String name) {
      if (!NAME.matcher(name).matches()) {
        throw new IllegalArgumentException(
            "'"
                + name
                + "' is not a subscription's name; use 1 to 100 letters, digits, '.', '_', ':' or"
                + " '-', starting with a letter or digit");
      }
      this.name = name;
    }

    /** Only the events that the filter lets through. */
    public Builder filter(EventFilter filter) {
      this.filter = filter;
      return this;
    }

    /** Only the events of one stream. */
    public Builder stream(StreamId stream) {
      this.stream = stream;
      this.filter = EventFilter.categories(stream.category()).withTypes(filter.types());
      return this;
    }

    /** Starts behind a position, if there is no checkpoint yet. */
    public Builder from(Position position) {
      this.start = new Start.At(position);
      return this;
    }

    /**
     * Starts with what is appended once {@link Subscriptions#start} has returned, if there is no
     * checkpoint yet; what was in an append that was open then may be included. Where several
     * processes start it, what counts for a partition is the start in one of them.
     */
    public Builder fromNow() {
      this.start = new Start.Now();
      return this;
    }

    /**
     * How many events are dealt with between two checkpoints, at most: 1 to 10,000. A crash repeats
     * at most so many; a processor's transaction holds so many. Saving a checkpoint costs as much
     * as handing out some hundred events.
     */
    public Builder batchSize(int batchSize) {
      if (batchSize < 1 || batchSize > GlobalLog.MAX_LIMIT) {
        throw new IllegalArgumentException(
            "a batch has 1 to " + GlobalLog.MAX_LIMIT + " events, not " + batchSize);
      }
      this.batchSize = batchSize;
      return this;
    }

    /**
     * Into how many parts the streams are split, 1 to 256, to be worked on at the same time, also
     * by several processes. Fixed once there is a checkpoint: to change it, start a subscription of
     * another name.
     */
    public Builder partitions(int partitions) {
      if (partitions < 1 || partitions > 256) {
        throw new IllegalArgumentException("1 to 256 partitions, not " + partitions);
      }
      this.partitions = partitions;
      return this;
    }

    /** What happens when the handler fails. */
    public Builder failures(FailurePolicy failures) {
      this.failures = failures;
      return this;
    }

    /** Builds it, with a handler that is called for each event. */
    public Subscription handler(EventHandler handler) {
      Consumer one = new Consumer.One(handler);
      return new Subscription(this, partition -> one);
    }

    /**
     * Builds it, with a handler of its own for each time that this process becomes the owner of a
     * partition. It is made before the first event is delivered.
     */
    public Subscription handlers(Function<Partition, ? extends EventHandler> factory) {
      return new Subscription(this, partition -> new Consumer.One(factory.apply(partition)));
    }

    /** Builds it, with a processor that saves the checkpoint itself. */
    public Subscription processor(BatchProcessor processor) {
      Consumer batch = new Consumer.Batch(processor);
      return new Subscription(this, partition -> batch);
    }
  }
}
