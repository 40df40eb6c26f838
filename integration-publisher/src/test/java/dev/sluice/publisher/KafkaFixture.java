package dev.sluice.publisher;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.core.outbox.MessagePublisher;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import dev.sluice.publisher.kafka.PublishedLanguage;
import dev.sluice.testservers.KafkaServer;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.ConfigResource;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;

/** A topic, a store and publishers of one test's own, on the shared broker. */
public class KafkaFixture {
  protected static final URI SOURCE = URI.create("urn:test:bank");
  protected static final String DEPOSIT = "bank.deposit";
  protected static final String NEW_TYPE = "bank.new";

  protected final String bootstrap = KafkaServer.shared().bootstrap();
  protected final String name = "t" + UUID.randomUUID().toString().substring(0, 8);
  protected final Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
  protected final Topic topic = new Topic(bootstrap, name);
  protected InMemoryStorage storage = InMemoryStorage.create();
  protected final KafkaMessagePublisher publisher = publisher().build();

  protected KafkaFixture() {
    publisher.verify();
  }

  @AfterEach
  void closeClients() {
    publisher.close();
    admin.close(Duration.ofSeconds(5));
  }

  protected final KafkaMessagePublisher.Builder publisher() {
    return KafkaMessagePublisher.builder(
            bootstrap, SOURCE, PublishedLanguage.builder().topic(name, 3, DEPOSIT).build())
        .timeout(Duration.ofSeconds(10));
  }

  /** That of a process of the next version, which publishes one type more. */
  protected final KafkaMessagePublisher newer() {
    return KafkaMessagePublisher.builder(
            bootstrap,
            SOURCE,
            PublishedLanguage.builder().topic(name, 3, DEPOSIT, NEW_TYPE).build())
        .build();
  }

  /** That of a process which does not reach the broker. */
  protected final KafkaMessagePublisher cutOff() {
    return KafkaMessagePublisher.builder(
            "localhost:1", SOURCE, PublishedLanguage.builder().topic(name, 3, DEPOSIT).build())
        .timeout(Duration.ofMillis(500))
        .build();
  }

  protected Relay.Builder relay() {
    return relay(publisher);
  }

  protected Relay.Builder relay(MessagePublisher through) {
    return Relay.builder(name, storage.outbox(), storage.checkpoints(), storage.leases(), through)
        .leaseDuration(Duration.ofSeconds(2));
  }

  protected RelayControl control() {
    return new RelayControl(name, storage.outbox(), storage.checkpoints(), storage.leases());
  }

  protected UUID append(String key, String data) {
    return Messages.append(storage, DEPOSIT, key, data);
  }

  /** Of a size that the topic doesn't take. */
  protected UUID appendRefused(String key) {
    setTopic(name, "max.message.bytes", "10000");
    return append(key, "x".repeat(20_000));
  }

  protected String progressTopic() {
    return "sluice-relay-" + name;
  }

  protected LaneStatus awaitStatus(LaneStatus.Condition condition) {
    return await(
        "lane 0 " + condition,
        () -> {
          List<LaneStatus> all = control().status();
          return !all.isEmpty() && all.get(0).condition() == condition ? all.get(0) : null;
        });
  }

  /** Asks until there is an answer, for 90 s at most. */
  protected static <T> T await(String what, Callable<@Nullable T> ask) {
    long deadline = System.nanoTime() + Duration.ofSeconds(90).toNanos();
    while (System.nanoTime() < deadline) {
      try {
        T answer = ask.call();
        if (answer != null) {
          return answer;
        }
      } catch (Exception e) {
        throw new IllegalStateException(what, e);
      }
      LockSupport.parkNanos(20_000_000);
    }
    throw new AssertionError("not within 90 s: " + what);
  }

  protected void setTopic(String topic, String setting, String value) {
    try {
      admin
          .incrementalAlterConfigs(
              Map.of(
                  new ConfigResource(ConfigResource.Type.TOPIC, topic),
                  List.of(
                      new AlterConfigOp(
                          new ConfigEntry(setting, value), AlterConfigOp.OpType.SET))))
          .all()
          .get();
      // The broker that is asked next may hear of it a moment later.
      await(setting, () -> value.equals(setting(topic, setting)) ? value : null);
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }

  private @Nullable String setting(String topic, String setting)
      throws InterruptedException, ExecutionException {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    for (Config config : admin.describeConfigs(List.of(resource)).all().get().values()) {
      return config.get(setting).value();
    }
    return null;
  }

  protected void createTopic(String topic, int partitions, Map<String, String> settings) {
    try {
      admin
          .createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(settings)))
          .all()
          .get();
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }

  protected int partitions(String topic) {
    try {
      return Objects.requireNonNull(
              admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic))
          .partitions()
          .size();
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }

  protected void deleteTopic(String topic) {
    try {
      admin.deleteTopics(List.of(topic)).all().get();
      await(topic + " gone", () -> admin.listTopics().names().get().contains(topic) ? null : topic);
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }
}
