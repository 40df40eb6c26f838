package dev.sluice.publisher.kafka;

import dev.sluice.core.outbox.BrokerUnavailableException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Creates the topics that the publisher needs, or checks that they are as they must be. */
final class KafkaTopics {
  private static final Logger log = LoggerFactory.getLogger(KafkaTopics.class);

  private final Admin admin;
  private final String bootstrap;
  private final PublishedLanguage language;
  private final boolean create;
  private final Duration timeout;

  KafkaTopics(
      Admin admin, String bootstrap, PublishedLanguage language, boolean create, Duration timeout) {
    this.admin = admin;
    this.bootstrap = bootstrap;
    this.language = language;
    this.create = create;
    this.timeout = timeout;
  }

  /**
   * Checks every topic, creating what is missing where that is allowed.
   *
   * @return the greatest message of each event topic, in bytes
   */
  Map<String, Integer> prepare(@Nullable String progressTopic, int lanes) {
    Map<String, Integer> wanted = new HashMap<>(language.topics());
    if (progressTopic != null) {
      wanted.put(progressTopic, lanes);
    }
    Map<String, TopicDescription> found = describe(wanted.keySet());
    List<NewTopic> missing = new ArrayList<>();
    wanted.forEach(
        (topic, partitions) -> {
          if (!found.containsKey(topic)) {
            missing.add(newTopic(topic, partitions, topic.equals(progressTopic)));
          }
        });
    if (!missing.isEmpty()) {
      create(missing);
      found.putAll(describe(wanted.keySet()));
    }
    wanted.forEach((topic, partitions) -> checkPartitions(found, topic, partitions, progressTopic));
    Map<String, Config> configs = configs(wanted.keySet());
    if (progressTopic != null) {
      checkProgress(progressTopic, configs);
    }
    language.topics().keySet().forEach(topic -> checkKept(topic, configs.get(topic)));
    Map<String, Integer> limits = new HashMap<>();
    language
        .topics()
        .forEach(
            (topic, partitions) -> limits.put(topic, maxMessageBytes(topic, configs.get(topic))));
    return limits;
  }

  /** A single copy of a message is lost with its broker, which only a single broker can't help. */
  void warnOfSingleReplicas() {
    if (await(admin.describeCluster().nodes(), "count the brokers").size() < 2) {
      return;
    }
    List<String> single =
        describe(language.topics().keySet()).values().stream()
            .filter(topic -> topic.partitions().stream().anyMatch(p -> p.replicas().size() < 2))
            .map(TopicDescription::name)
            .sorted()
            .toList();
    if (!single.isEmpty()) {
      log.warn(
          "Kafka topics {} have one replica, so a broker that is lost takes their messages along;"
              + " created topics have the broker's default.replication.factor. For production use 3"
              + " and min.insync.replicas=2 (kafka-reassign-partitions)",
          single);
    }
  }

  /** The end of a partition, with records that are not committed. */
  long end(String topic, int partition) {
    TopicPartition of = new TopicPartition(topic, partition);
    var result =
        admin.listOffsets(
            Map.of(of, OffsetSpec.latest()),
            new ListOffsetsOptions(IsolationLevel.READ_UNCOMMITTED));
    return await(result.partitionResult(of), "find the end of " + of).offset();
  }

  int maxMessageBytes(String topic) {
    return maxMessageBytes(topic, configs(List.of(topic)).get(topic));
  }

  private NewTopic newTopic(String topic, int partitions, boolean progress) {
    if (!create) {
      throw new BrokerUnavailableException(
          "Kafka topic "
              + topic
              + " is missing: create it with "
              + partitions
              + " partition(s)"
              + (progress ? " and cleanup.policy=compact" : "")
              + ", or let the publisher do it with"
              + " createTopics(true)");
    }
    NewTopic created = new NewTopic(topic, Optional.of(partitions), Optional.empty());
    if (progress) {
      // Small segments, cleaned early: a start reads what is left of this topic in the worst case.
      created.configs(
          Map.of(
              TopicConfig.CLEANUP_POLICY_CONFIG,
              TopicConfig.CLEANUP_POLICY_COMPACT,
              TopicConfig.SEGMENT_BYTES_CONFIG,
              Integer.toString(8 * 1024 * 1024),
              TopicConfig.MIN_CLEANABLE_DIRTY_RATIO_CONFIG,
              "0.1",
              TopicConfig.UNCLEAN_LEADER_ELECTION_ENABLE_CONFIG,
              "false"));
    } else {
      // Whatever the broker's default is.
      created.configs(Map.of(TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_DELETE));
    }
    return created;
  }

  private void create(List<NewTopic> missing) {
    admin
        .createTopics(missing)
        .values()
        .forEach(
            (topic, result) -> {
              try {
                await(result, "create topic " + topic);
                log.info("created Kafka topic {}", topic);
              } catch (BrokerUnavailableException e) {
                // Another process of the same service was faster.
                if (!(e.getCause() instanceof TopicExistsException)) {
                  throw e;
                }
              }
            });
    // The controller knows them; the broker that answers next may need a moment.
    long deadline = System.nanoTime() + timeout.toNanos();
    List<String> names = missing.stream().map(NewTopic::name).toList();
    while (describe(names).size() < names.size()) {
      if (System.nanoTime() - deadline > 0) {
        throw new BrokerUnavailableException(
            "Kafka topics " + names + " were created but are not visible after " + timeout);
      }
      pause();
    }
  }

  private void checkPartitions(
      Map<String, TopicDescription> found,
      String topic,
      int wanted,
      @Nullable String progressTopic) {
    TopicDescription description = found.get(topic);
    int actual = description == null ? 0 : description.partitions().size();
    if (actual >= wanted) {
      return;
    }
    // A lane's partition is its number, not a hash, so the progress topic may grow at any time. A
    // topic that nothing was ever written to is what a broker makes by itself, with its default
    // number of partitions, for a consumer that asks before the publisher's first start.
    if (create && (topic.equals(progressTopic) || isUnwritten(topic, actual))) {
      try {
        await(
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(wanted))).all(),
            "add partitions to topic " + topic);
        log.info("raised the partitions of Kafka topic {} from {} to {}", topic, actual, wanted);
      } catch (BrokerUnavailableException e) {
        // Another process of the same service was faster.
        if (!(e.getCause() instanceof InvalidPartitionsException)) {
          throw e;
        }
      }
      return;
    }
    throw new BrokerUnavailableException(
        topic.equals(progressTopic)
            ? "progress topic "
                + topic
                + " has "
                + actual
                + " partition(s) for "
                + wanted
                + " lanes, and each lane needs its own: add partitions"
            : "Kafka topic "
                + topic
                + " has "
                + actual
                + " partition(s), but the published language"
                + " says "
                + wanted
                + ": add partitions to the topic, or, if nothing was published"
                + " yet, lower the number in topic(…)");
  }

  private boolean isUnwritten(String topic, int partitions) {
    return IntStream.range(0, partitions).allMatch(partition -> end(topic, partition) == 0);
  }

  private static void checkProgress(String topic, Map<String, Config> configs) {
    String policy = value(configs.get(topic), TopicConfig.CLEANUP_POLICY_CONFIG);
    if (!TopicConfig.CLEANUP_POLICY_COMPACT.equals(policy)) {
      throw new BrokerUnavailableException(
          "progress topic "
              + topic
              + " has cleanup.policy="
              + policy
              + ", which forgets how far a"
              + " quiet lane has come: set it to compact (kafka-configs --alter --entity-type topics"
              + " --entity-name "
              + topic
              + " --add-config cleanup.policy=compact)");
    }
  }

  private static void checkKept(String topic, @Nullable Config config) {
    String policy = value(config, TopicConfig.CLEANUP_POLICY_CONFIG);
    if (policy != null && policy.contains(TopicConfig.CLEANUP_POLICY_COMPACT)) {
      throw new BrokerUnavailableException(
          "Kafka topic "
              + topic
              + " has cleanup.policy="
              + policy
              + ", which removes all but the last message of each key, also before a consumer has"
              + " read them: set it to delete (kafka-configs --alter --entity-type topics"
              + " --entity-name "
              + topic
              + " --add-config cleanup.policy=delete)");
    }
  }

  private static int maxMessageBytes(String topic, @Nullable Config config) {
    String value = value(config, TopicConfig.MAX_MESSAGE_BYTES_CONFIG);
    if (value == null) {
      throw new BrokerUnavailableException(
          "Kafka does not say max.message.bytes of topic "
              + topic
              + ": allow DescribeConfigs on the topic to the publisher");
    }
    return Integer.parseInt(value);
  }

  private static @Nullable String value(@Nullable Config config, String name) {
    ConfigEntry entry = config == null ? null : config.get(name);
    return entry == null ? null : entry.value();
  }

  private Map<String, TopicDescription> describe(Collection<String> topics) {
    Map<String, TopicDescription> found = new HashMap<>();
    admin
        .describeTopics(topics)
        .topicNameValues()
        .forEach(
            (topic, result) -> {
              try {
                found.put(topic, await(result, "describe topic " + topic));
              } catch (BrokerUnavailableException e) {
                if (!(e.getCause() instanceof UnknownTopicOrPartitionException)) {
                  throw e;
                }
              }
            });
    return found;
  }

  private Map<String, Config> configs(Collection<String> topics) {
    List<ConfigResource> resources =
        topics.stream().map(t -> new ConfigResource(ConfigResource.Type.TOPIC, t)).toList();
    Map<String, Config> configs = new HashMap<>();
    await(admin.describeConfigs(resources).all(), "read the settings of topics " + topics)
        .forEach((resource, config) -> configs.put(resource.name(), config));
    return configs;
  }

  private <T> T await(KafkaFuture<T> result, String what) {
    try {
      return result.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw KafkaFailures.unavailable("can't " + what, cause);
    } catch (TimeoutException e) {
      throw new BrokerUnavailableException(
          "Kafka at "
              + bootstrap
              + " did not answer within "
              + timeout
              + " ("
              + what
              + "): check that it runs, and the address",
          e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw KafkaFailures.unavailable("interrupted, so can't " + what, e);
    }
  }

  private static void pause() {
    LockSupport.parkNanos(50_000_000);
  }
}
