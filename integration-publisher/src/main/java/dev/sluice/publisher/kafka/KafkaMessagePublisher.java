package dev.sluice.publisher.kafka;

import dev.sluice.core.outbox.BrokerUnavailableException;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.core.outbox.Progress;
import java.net.URI;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes integration events to Kafka, by default exactly once for {@code read_committed}
 * consumers: a batch and the position that it reaches are one Kafka transaction.
 *
 * <p>Records are CloudEvents 1.0 in binary mode; the record's key is the message's key. Which type
 * goes to which topic says the {@link PublishedLanguage}.
 *
 * <p>Safe for use by any number of threads; each lane has a producer of its own.
 */
public final class KafkaMessagePublisher implements MessagePublisher {
  /** Settings that carry a guarantee, or that the publisher derives from its own. */
  private static final Set<String> RESERVED =
      Set.of(
          ProducerConfig.TRANSACTIONAL_ID_CONFIG,
          ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG,
          ProducerConfig.ACKS_CONFIG,
          ProducerConfig.RETRIES_CONFIG,
          ProducerConfig.PARTITIONER_CLASS_CONFIG,
          ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG,
          ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG,
          ProducerConfig.TRANSACTION_TWO_PHASE_COMMIT_ENABLE_CONFIG,
          ConsumerConfig.ISOLATION_LEVEL_CONFIG,
          ConsumerConfig.GROUP_ID_CONFIG,
          ConsumerConfig.AUTO_OFFSET_RESET_CONFIG,
          ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG,
          ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG);

  /** What some Kafka client knows by name. Everything else is there for plugins, or a typo. */
  private static final Set<String> KNOWN =
      Stream.of(
              ProducerConfig.configNames(),
              ConsumerConfig.configNames(),
              AdminClientConfig.configNames())
          .flatMap(Set::stream)
          .collect(Collectors.toUnmodifiableSet());

  private static final Logger log = LoggerFactory.getLogger(KafkaMessagePublisher.class);

  private final Map<String, Object> producerConfig;
  private final PublishedLanguage language;
  private final String progressTopicPrefix;
  private final boolean transactions;
  private final String unfenced;
  private final int maxRequestSize;
  private final int batchSize;
  private final boolean compresses;
  private final CloudEvents cloudEvents;
  private final Admin admin;
  private final ForgottenTransactions forgotten;
  private final KafkaTopics topics;
  private final KafkaProgress progress;

  private KafkaMessagePublisher(Builder builder) {
    this.language = builder.language;
    this.progressTopicPrefix = builder.progressTopicPrefix;
    this.transactions = builder.transactions;
    this.unfenced = builder.unfenced;
    this.producerConfig = builder.producerConfig();
    ProducerConfig checked = checked(producerConfig);
    this.maxRequestSize = checked.getInt(ProducerConfig.MAX_REQUEST_SIZE_CONFIG);
    this.batchSize = checked.getInt(ProducerConfig.BATCH_SIZE_CONFIG);
    this.compresses = !"none".equals(checked.getString(ProducerConfig.COMPRESSION_TYPE_CONFIG));
    this.cloudEvents = new CloudEvents(builder.source);
    Map<String, Object> consumerConfig = builder.settings(ConsumerConfig.configNames());
    // Those that were named are for records that are sent: they are producers' as a rule, and a
    // consumer doesn't start with one of these.
    consumerConfig.remove(ConsumerConfig.INTERCEPTOR_CLASSES_CONFIG);
    consumerConfig.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
    consumerConfig.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
    consumerConfig.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
    consumerConfig.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
    this.progress = new KafkaProgress(consumerConfig, builder.timeout);
    this.admin = Admin.create(builder.settings(AdminClientConfig.configNames()));
    this.forgotten = new ForgottenTransactions(admin, language.topics().keySet(), builder.timeout);
    this.topics =
        new KafkaTopics(
            admin,
            String.valueOf(builder.client.get(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG)),
            language,
            builder.createTopics,
            builder.timeout);
  }

  /**
   * Starts a publisher for the language of one bounded context.
   *
   * @param source the CloudEvents attribute {@code source} of everything that is published, such as
   *     {@code urn:example:bank}
   */
  public static Builder builder(String bootstrapServers, URI source, PublishedLanguage language) {
    return new Builder(bootstrapServers, source, language);
  }

  /**
   * Checks now, not at the first use, that Kafka answers, that the topics of the published language
   * are as they must be, and that the clients take their settings; creates missing topics where
   * that is allowed.
   *
   * @throws BrokerUnavailableException with what is wrong and what to do about it
   */
  public void verify() {
    topics.prepare(null, 0);
    topics.warnOfSingleReplicas();
    newProducer(producerConfig).close(Duration.ZERO);
    progress.newConsumer().close();
  }

  /**
   * With the settings as a producer understands them, which refuses some that don't go together.
   */
  private static ProducerConfig checked(Map<String, Object> settings) {
    Map<String, Object> all = new HashMap<>(settings);
    all.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
    all.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
    try {
      return new ProducerConfig(all);
    } catch (ConfigException e) {
      throw new IllegalArgumentException(
          "Kafka's producer does not take its settings: " + e.getMessage(), e);
    }
  }

  private static KafkaProducer<byte[], byte[]> newProducer(Map<String, Object> config) {
    try {
      return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    } catch (KafkaException e) {
      throw KafkaFailures.notMade("producer", e);
    }
  }

  @Override
  public Lane open(String relay, int lane) {
    String progressTopic = progressTopicPrefix + relay;
    Map<String, Integer> limits = topics.prepare(progressTopic, lane + 1);
    Map<String, Object> config = new HashMap<>(producerConfig);
    // A batch is refused as a whole, so none may be greater than the least limit.
    int least = batchSize;
    for (int limit : limits.values()) {
      least = Math.min(least, limit);
    }
    config.put(ProducerConfig.BATCH_SIZE_CONFIG, least);
    String transactionalId = progressTopic + "-" + lane + unfenced;
    if (transactions) {
      config.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, transactionalId);
    }
    KafkaProducer<byte[], byte[]> producer = newProducer(config);
    try {
      if (transactions) {
        // Fences the earlier owner and ends its open transaction, so that what is read next is
        // the last word.
        producer.initTransactions();
        forgotten.abort(transactionalId, new TopicPartition(progressTopic, lane));
      }
      Optional<Progress> last = progress.read(progressTopic, lane, topics.end(progressTopic, lane));
      return new KafkaLane(this, relay, lane, progressTopic, producer, last, limits);
    } catch (KafkaException e) {
      producer.close(Duration.ZERO);
      throw KafkaFailures.unavailable("can't take over lane " + lane + " of relay " + relay, e);
    } catch (RuntimeException | Error e) {
      producer.close(Duration.ZERO);
      throw e;
    }
  }

  @Override
  public void close() {
    admin.close(Duration.ofSeconds(5));
  }

  ProducerRecord<byte[], byte[]> progressRecord(String topic, int lane, Progress reached) {
    return progress.record(topic, lane, reached);
  }

  boolean transactions() {
    return transactions;
  }

  PublishedLanguage language() {
    return language;
  }

  CloudEvents cloudEvents() {
    return cloudEvents;
  }

  int maxRequestSize() {
    return maxRequestSize;
  }

  boolean compresses() {
    return compresses;
  }

  int maxMessageBytes(String topic) {
    return topics.maxMessageBytes(topic);
  }

  /** Settings of the publisher. Not safe for use by several threads. */
  public static final class Builder {
    private final URI source;
    private final PublishedLanguage language;
    private final Map<String, Object> client = new HashMap<>();
    private String progressTopicPrefix = "sluice-relay-";
    private boolean transactions = true;
    private boolean createTopics = true;

    /** Makes transactional ids differ, for the test that shows what fencing is good for. */
    String unfenced = "";

    private Duration timeout = Duration.ofSeconds(15);

    private Builder(String bootstrapServers, URI source, PublishedLanguage language) {
      this.source = Objects.requireNonNull(source, "source");
      this.language = Objects.requireNonNull(language, "language");
      client.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers);
    }

    /**
     * Gives transactions up: consumers see a message some milliseconds earlier, but may see the
     * last batch again after a failure, and a paused owner of a lane is not fenced. If that goes on
     * and sets the progress back, the lane waits for {@code RelayControl.restart}. Compressed or
     * not, a message must fit into the topic's limit in its plain form. Whoever lowers {@code
     * max.message.bytes} of a topic closes the relay first: a message that only the broker then
     * refuses is overtaken by those behind it.
     */
    public Builder atLeastOnce() {
      this.transactions = false;
      return this;
    }

    /**
     * Whether missing topics are created, with the broker's default replication factor (1 unless
     * the cluster says otherwise: create them yourself for production), and topics that nothing was
     * ever written to get the declared partitions; default true. Where it is false, what is missing
     * is reported with what to create.
     */
    public Builder createTopics(boolean create) {
      this.createTopics = create;
      return this;
    }

    /**
     * Begin of the name of the compacted topics that hold each relay's progress, one topic per
     * relay; default {@code sluice-relay-}. Also begins the transactional ids, for rights by
     * prefix.
     */
    public Builder progressTopicPrefix(String prefix) {
      this.progressTopicPrefix = Objects.requireNonNull(prefix, "prefix");
      return this;
    }

    /** How long to wait for the cluster's answer before a call fails; default 15 s. */
    public Builder timeout(Duration timeout) {
      if (timeout.isNegative() || timeout.isZero()) {
        throw new IllegalArgumentException("timeout must be positive, not " + timeout);
      }
      this.timeout = timeout;
      return this;
    }

    /**
     * A setting of the Kafka clients, such as {@code security.protocol} or {@code
     * compression.type}. Each client gets those that it knows; {@code interceptor.classes} are the
     * producers'. What no client knows is given to all of them, since plugins have settings of
     * their own, and a warning is logged.
     *
     * @throws IllegalArgumentException if the setting belongs to the publisher, because a guarantee
     *     rests on it
     */
    public Builder client(String name, Object value) {
      if (RESERVED.contains(name)) {
        throw new IllegalArgumentException(
            name + " can't be set: the publisher's guarantees rest on its value");
      }
      client.put(name, value);
      return this;
    }

    /**
     * Returns a publisher. Connections are made when they are needed.
     *
     * @throws IllegalArgumentException if the producer can't have such settings
     */
    public KafkaMessagePublisher build() {
      List<String> unknown =
          client.keySet().stream()
              .filter(name -> !KNOWN.contains(name))
              .filter(name -> !name.startsWith(AbstractConfig.CONFIG_PROVIDERS_CONFIG + "."))
              .sorted()
              .toList();
      if (!unknown.isEmpty()) {
        log.warn(
            "no Kafka client knows the settings {}: they are passed on to plugins such as"
                + " interceptors; if there is none, look for a typo",
            unknown);
      }
      return new KafkaMessagePublisher(this);
    }

    /** What a client knows, and what none does. */
    private Map<String, Object> settings(Set<String> names) {
      Map<String, Object> settings = new HashMap<>(client);
      settings.keySet().removeIf(name -> KNOWN.contains(name) && !names.contains(name));
      return settings;
    }

    private Map<String, Object> producerConfig() {
      Map<String, Object> config = new HashMap<>();
      config.put(ProducerConfig.BATCH_SIZE_CONFIG, 64 * 1024);
      config.put(ProducerConfig.BUFFER_MEMORY_CONFIG, 16L * 1024 * 1024);
      config.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, 1024 * 1024);
      config.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, "none");
      // The end of one transaction and the start of the next overlap in the broker; the default of
      // 100 ms would be most of a message's latency.
      config.put(ProducerConfig.RETRY_BACKOFF_MS_CONFIG, 10L);
      config.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 10_000);
      config.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, timeout.toMillis());
      config.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 30_000);
      config.put(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, 60_000);
      config.putAll(settings(ProducerConfig.configNames()));
      config.put(ProducerConfig.ACKS_CONFIG, "all");
      config.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
      return config;
    }
  }
}
