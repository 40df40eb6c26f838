package dev.sluice.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.INTERFACES;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.equivalentTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import dev.sluice.core.EventTypes;
import dev.sluice.core.event.DomainEvent;
import dev.sluice.core.outbox.IntegrationEvent;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Rules for the classes of a service, to be checked with ArchUnit: {@code
 * SluiceRules.domainEventsStayInside("com.example.bank..").check(classes)}. Import the whole
 * service: what was not imported is not looked at. Packages are given as in ArchUnit, with {@code
 * ..} for all below. A rule fails if what it is about is not among the classes, such as for a
 * package without the dots.
 */
public final class SluiceRules {
  private SluiceRules() {}

  /**
   * No class outside a bounded context refers to the domain events of that context. Holds where
   * there is no class outside, in a service that is a single context; fails if the context has no
   * domain events.
   */
  public static ArchRule domainEventsStayInside(String context) {
    DescribedPredicate<JavaClass> inside = events(DomainEvent.class).and(resideInAPackage(context));
    return classes()
        .should(
            new NotDepend(
                not(resideInAPackage(context)),
                inside,
                Map.of(
                    "there is no domain event in '"
                        + context
                        + "': import it too, and give the package of the whole context, with '..' for"
                        + " all below",
                    inside)))
        .allowEmptyShould(true)
        .as(
            "no classes outside '"
                + context
                + "' should depend on domain events inside, because domain events are private to"
                + " their bounded context: publish an integration event");
  }

  /**
   * No integration event refers to a domain event, nor to any class of the domain. Fails if there
   * are no integration events, or no classes in one of the packages.
   *
   * @param domain the packages of the domain's types, such as {@code com.example.bank.account..}
   */
  public static ArchRule integrationEventsReferToNoDomainType(String... domain) {
    Map<String, DescribedPredicate<JavaClass>> needed = new LinkedHashMap<>();
    needed.put(
        "there is no integration event: import the published language too, or leave this rule out",
        events(IntegrationEvent.class));
    for (String part : domain) {
      needed.put(
          "there is no class in '" + part + "': import it too, and end it with '..' for all below",
          resideInAPackage(part));
    }
    return classes()
        .should(
            new NotDepend(
                events(IntegrationEvent.class),
                assignableTo(DomainEvent.class).or(resideInAnyPackage(domain)),
                needed))
        .allowEmptyShould(true)
        .as(
            "no integration events should depend on domain events or on classes in "
                + List.of(domain)
                + ", because the published language has a contract of its own: a change of the"
                + " domain must not change it");
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

  /**
   * ArchUnit lets a rule fail if it is about no class, but not if what the classes must not depend
   * on doesn't exist: so each kind of class that is needed is looked for here.
   */
  private static final class NotDepend extends ArchCondition<JavaClass> {

    private final DescribedPredicate<JavaClass> from;
    private final DescribedPredicate<JavaClass> to;
    private final Map<String, DescribedPredicate<JavaClass>> needed;
    private Collection<JavaClass> all = List.of();

    /** With what to say if there is no class of a kind. */
    NotDepend(
        DescribedPredicate<JavaClass> from,
        DescribedPredicate<JavaClass> to,
        Map<String, DescribedPredicate<JavaClass>> needed) {
      super("not depend on them");
      this.from = from;
      this.to = to;
      this.needed = needed;
    }

    @Override
    public void init(Collection<JavaClass> all) {
      this.all = all;
    }

    @Override
    public void check(JavaClass type, ConditionEvents events) {
      if (from.test(type)) {
        type.getDirectDependenciesFromSelf().stream()
            .filter(dependency -> to.test(dependency.getTargetClass()))
            .forEach(
                dependency ->
                    events.add(
                        SimpleConditionEvent.violated(dependency, dependency.getDescription())));
      }
    }

    @Override
    public void finish(ConditionEvents events) {
      needed.forEach(
          (message, kind) -> {
            if (all.stream().noneMatch(kind)) {
              events.add(SimpleConditionEvent.violated(all, message));
            }
          });
    }
  }
}
