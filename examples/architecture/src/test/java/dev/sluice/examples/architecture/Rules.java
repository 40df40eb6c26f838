package dev.sluice.examples.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.lang.ArchRule;
import dev.sluice.architecture.SluiceRules;
import dev.sluice.examples.bank.published.BankLanguage;

/** Who may know whom. */
enum Rules {
  CORE_KNOWS_NO_TECHNOLOGY(
      classes()
          .that()
          .resideInAPackage("dev.sluice.core..")
          .and()
          .resideOutsideOfPackages(
              "dev.sluice.core.serialization.jackson..", "dev.sluice.core.micrometer..")
          .should()
          .onlyDependOnClassesThat(
              resideInAnyPackage(
                  "dev.sluice.core..", "java..", "org.slf4j..", "org.jspecify.annotations.."))
          .because("a service must not inherit a technology from the core that it builds on")),

  JACKSON_HAS_ONE_ROOM(
      classes()
          .that()
          .resideInAPackage("dev.sluice.core.serialization.jackson..")
          .should()
          .onlyDependOnClassesThat(
              resideInAnyPackage(
                  "dev.sluice.core..",
                  "tools.jackson..",
                  "com.fasterxml.jackson.annotation..",
                  "java..",
                  "org.jspecify.annotations.."))
          .because("whoever serialises otherwise leaves this package away")),

  MICROMETER_HAS_ONE_ROOM(
      classes()
          .that()
          .resideInAPackage("dev.sluice.core.micrometer..")
          .should()
          .onlyDependOnClassesThat(
              resideInAnyPackage(
                  "dev.sluice.core..",
                  "io.micrometer.core.instrument..",
                  "java..",
                  "org.jspecify.annotations.."))
          .because("whoever measures otherwise, or not at all, leaves this package away")),

  OUTBOX_AND_COORDINATION_KNOW_NO_EVENT_STORE(
      noClasses()
          .that()
          .resideInAnyPackage("dev.sluice.core.outbox..", "dev.sluice.core.coordination..")
          .should()
          .dependOnClassesThat(
              resideInAnyPackage(
                  "dev.sluice.core.event..",
                  "dev.sluice.core.store..",
                  "dev.sluice.core.aggregate..",
                  "dev.sluice.core.translation..",
                  "dev.sluice.core.serialization.."))
          .because("the publisher builds on them, and must not be able to reach a domain event")),

  PUBLISHER_KNOWS_ONLY_WHAT_MAY_LEAVE(
      noClasses()
          .that()
          .resideInAPackage("dev.sluice.publisher..")
          .should()
          .dependOnClassesThat(
              resideInAPackage("dev.sluice..")
                  .and(
                      not(
                          resideInAnyPackage(
                              "dev.sluice.publisher..",
                              "dev.sluice.core",
                              "dev.sluice.core.outbox..",
                              "dev.sluice.core.coordination.."))))
          .because("domain events stay inside: only integration events reach a broker")),

  DOMAIN_EVENTS_STAY_INSIDE(SluiceRules.domainEventsStayInside("dev.sluice.examples.bank..")),

  INTEGRATION_EVENTS_REFER_TO_NO_DOMAIN_TYPE(
      SluiceRules.integrationEventsReferToNoDomainType(
          "dev.sluice.examples.bank.account..", "dev.sluice.examples.bank.transfer..")),

  INTEGRATION_EVENTS_ARE_REGISTERED(
      SluiceRules.integrationEventsAreRegistered("dev.sluice.examples.bank..", BankLanguage.TYPES)),

  FRAUD_KNOWS_NO_CLASS_OF_THE_BANK(
      noClasses()
          .that()
          .resideInAPackage("dev.sluice.examples.fraud..")
          .should()
          .dependOnClassesThat(resideInAPackage("dev.sluice.examples.bank.."))
          .because("another bounded context knows what is published, not who publishes it")),

  DOMAIN_KNOWS_NO_STORE(
      noClasses()
          .that()
          .resideInAnyPackage(
              "dev.sluice.examples.bank.account..", "dev.sluice.examples.bank.transfer..")
          .should()
          .dependOnClassesThat(
              resideInAnyPackage(
                  "dev.sluice.core.store..",
                  "dev.sluice.core.outbox..",
                  "dev.sluice.core.serialization..",
                  "dev.sluice.adapter..",
                  "dev.sluice.publisher.."))
          .because("the rules of the business don't depend on where events are kept")),

  ADAPTERS_KNOW_OF_THE_PRODUCT_ONLY_THE_CORE(
      noClasses()
          .that()
          .resideInAPackage("dev.sluice.adapter..")
          .should()
          .dependOnClassesThat(
              resideInAnyPackage(
                  "dev.sluice.publisher..", "dev.sluice.tck..", "dev.sluice.examples.."))
          .because("an adapter is the last link of the chain")),

  ADAPTERS_KNOW_NO_OTHER_ADAPTER(
      slices()
          .matching("dev.sluice.adapter.(*)..")
          .should()
          .notDependOnEachOther()
          .because("a service takes one adapter and gets nothing of the others with it")),

  CONTRACT_KNOWS_THE_CORE_ONLY(
      classes()
          .that()
          .resideInAPackage("dev.sluice.tck..")
          .should()
          .onlyDependOnClassesThat(
              resideInAnyPackage(
                  "dev.sluice.tck..",
                  "dev.sluice.core..",
                  "java..",
                  "com.sun.management..",
                  "org.junit.jupiter.api..",
                  "org.opentest4j..",
                  "org.apiguardian.api..",
                  "org.jspecify.annotations.."))
          .because("strangers run it against adapters of their own"));

  @SuppressWarnings("ImmutableEnumChecker") // A rule doesn't change once it is built.
  private final ArchRule rule;

  Rules(ArchRule rule) {
    this.rule = rule;
  }

  ArchRule rule() {
    return rule;
  }
}
