package dev.sluice.publisher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sluice.adapter.inmemory.InMemoryStorage;
import dev.sluice.core.outbox.BrokerUnavailableException;
import dev.sluice.publisher.LaneStatus.Condition;
import dev.sluice.publisher.kafka.KafkaMessagePublisher;
import dev.sluice.publisher.kafka.PublishedLanguage;
import dev.sluice.testservers.OwnedKafka;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** A broker that refuses what the publisher has no right to do. */
@SuppressWarnings("try")
class RightsTest {
  private static final OwnedKafka kafka = OwnedKafka.start();

  private final InMemoryStorage storage = InMemoryStorage.create();

  @AfterAll
  static void stopBroker() {
    kafka.close();
  }

  private static KafkaMessagePublisher publisher(String topic) {
    return KafkaMessagePublisher.builder(
            kafka.bootstrap(),
            URI.create("urn:test:bank"),
            PublishedLanguage.builder().topic(topic, 1, KafkaFixture.DEPOSIT).build())
        .build();
  }

  private Relay relay(String name, KafkaMessagePublisher publisher) {
    return Relay.builder(name, storage.outbox(), storage.checkpoints(), storage.leases(), publisher)
        .leaseDuration(Duration.ofSeconds(2))
        .start();
  }

  private static AclBinding deny(ResourceType type, String name, AclOperation operation) {
    return new AclBinding(
        new ResourcePattern(type, name, PatternType.LITERAL),
        new AccessControlEntry("User:ANONYMOUS", "*", operation, AclPermissionType.DENY));
  }

  private static AclBinding allowTheRest(ResourceType type, String name) {
    return new AclBinding(
        new ResourcePattern(type, name, PatternType.LITERAL),
        new AccessControlEntry("User:ANONYMOUS", "*", AclOperation.ALL, AclPermissionType.ALLOW));
  }

  /** Denies an operation, looks at the relay, and takes the denial back. */
  private void check(String topic, AclBinding denied, String... says) throws Exception {
    Messages.append(storage, KafkaFixture.DEPOSIT, "a", "1");
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrap()));
        KafkaMessagePublisher publisher = publisher(topic)) {
      publisher.verify();
      AclBinding rest = allowTheRest(denied.pattern().resourceType(), denied.pattern().name());
      admin.createAcls(List.of(rest, denied)).all().get();
      try (Relay relay = relay(topic, publisher)) {
        LaneStatus failing =
            KafkaFixture.await(
                "failing",
                () ->
                    relay.status().stream()
                        .filter(status -> status.condition() == Condition.FAILING)
                        .findFirst()
                        .orElse(null));
        assertThat(failing.error().orElseThrow()).contains(says);
        assertThat(failing.stoppedBy()).isEmpty();
        Messages.append(storage, KafkaFixture.DEPOSIT, "a", "2");
        admin.deleteAcls(List.of(rest.toFilter(), denied.toFilter())).all().get();
        // By itself, without loss, repetition or disorder.
        assertThat(new Topic(kafka.bootstrap(), topic).byKey(2))
            .isEqualTo(Map.of("a", List.of("1", "2")));
      }
    }
  }

  @Test
  void K4_withoutTheRightToWriteTheLaneWaits_andSaysWhatToGrant() throws Exception {
    check(
        "closed",
        deny(ResourceType.TOPIC, "closed", AclOperation.WRITE),
        "not authorized for topics [closed]",
        "grant Write and Describe");
  }

  @Test
  void K4_withoutTheRightToTheTransactionalIdTheLaneWaits_andSaysWhatToGrant() throws Exception {
    check(
        "fenced",
        deny(ResourceType.TRANSACTIONAL_ID, "sluice-relay-fenced-0", AclOperation.WRITE),
        "not authorized for the transactional id",
        "grant Write and Describe");
  }

  @Test
  void withoutTheRightToLookForForgottenTransactionsTheLanePublishes() throws Exception {
    Messages.append(storage, KafkaFixture.DEPOSIT, "a", "1");
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrap()));
        KafkaMessagePublisher publisher = publisher("unread")) {
      publisher.verify();
      AclBinding rest = allowTheRest(ResourceType.TOPIC, "unread");
      AclBinding denied = deny(ResourceType.TOPIC, "unread", AclOperation.READ);
      admin.createAcls(List.of(rest, denied)).all().get();
      try (Relay relay = relay("unread", publisher)) {
        KafkaFixture.await(
            "published",
            () ->
                relay.status().stream().anyMatch(status -> status.position().value() > 0)
                    ? true
                    : null);
      }
      admin.deleteAcls(List.of(rest.toFilter(), denied.toFilter())).all().get();
      assertThat(new Topic(kafka.bootstrap(), "unread").byKey(1))
          .isEqualTo(Map.of("a", List.of("1")));
    }
  }

  @Test
  void withoutTheRightToTheTopicVerifyNamesIt() throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrap()));
        KafkaMessagePublisher publisher = publisher("hidden")) {
      publisher.verify();
      admin
          .createAcls(List.of(deny(ResourceType.TOPIC, "hidden", AclOperation.DESCRIBE)))
          .all()
          .get();
      assertThatThrownBy(publisher::verify)
          .isInstanceOf(BrokerUnavailableException.class)
          .hasMessageContaining("can't describe topic hidden: not authorized; grant");
    }
  }
}
