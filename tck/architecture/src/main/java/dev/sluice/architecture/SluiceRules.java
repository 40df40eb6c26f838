package dev.sluice.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.INTERFACES;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.equivalentTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import dev.sluice.core.EventTypes;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.outbox.IntegrationEvent;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Rules for the classes of a service, to be checked with ArchUnit: {@code
 * SluiceRules.domainEventsStayInside("com.example.bank..").check(classes)}. A rule that finds
 * nothing to look at fails. Packages are given as in ArchUnit, with {@code ..} for all below.
 */
public final class SluiceRules {
  private SluiceRules() {}

  /** No class outside a bounded context refers to the domain events of that context. */
  public static ArchRule domainEventsStayInside(String context) {
    return noClasses()
        .that(not(resideInAPackage(context)))
        .should()
        .dependOnClassesThat(events(DomainEvent.class).and(resideInAPackage(context)))
        .because(
            "domain events are private to their bounded context: publish an integration event");
  }

  /**
   * No integration event refers to a domain event, nor to any class of the domain.
   *
   * @param domain the packages of the domain's types, such as {@code com.example.bank.account..}
   */
  public static ArchRule integrationEventsReferToNoDomainType(String... domain) {
    return noClasses()
        .that(events(IntegrationEvent.class))
        .should()
        .dependOnClassesThat(assignableTo(DomainEvent.class).or(resideInAnyPackage(domain)))
        .because(
            "the published language has a contract of its own: a change of the domain must not"
                + " change it");
  }

  /**
   * Every integration event of a bounded context is in the registry of its published language, so
   * that nothing is meant to be published that will be refused.
   */
  public static ArchRule integrationEventsAreRegistered(
      String context, EventTypes<? extends IntegrationEvent> registry) {
    Set<String> registered =
        registry.namesByClass().keySet().stream().map(Class::getName).collect(Collectors.toSet());
    return classes()
        .that(events(IntegrationEvent.class))
        .and(resideInAPackage(context))
        .and(not(INTERFACES))
        .and()
        .doNotHaveModifier(JavaModifier.ABSTRACT)
        .should(
            ArchCondition.from(
                DescribedPredicate.describe(
                    "be in the registry of the published language",
                    (JavaClass type) -> registered.contains(type.getName()))))
        .because("only what EventTypes names is published; register the class, or delete it");
  }

  private static DescribedPredicate<JavaClass> events(Class<?> marker) {
    return assignableTo(marker).and(not(equivalentTo(marker)));
  }
}
