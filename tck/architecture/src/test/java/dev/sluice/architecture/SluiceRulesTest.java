package dev.sluice.architecture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SluiceRulesTest {

  private static final String SAMPLE = "dev.sluice.architecture.sample.";

  private final JavaClasses all = classes("");
  private final JavaClasses bank = classes("bank");

  @Test
  void aDomainEventThatIsReferredToOutsideIsNamed() {
    assertThatThrownBy(() -> SluiceRules.domainEventsStayInside(SAMPLE + "bank..").check(all))
        .hasMessageContaining("Curious")
        .hasMessageContaining("Opened")
        .hasMessageContaining("publish an integration event");
  }

  @Test
  void inAServiceOfOneContextDomainEventsStayInside() {
    assertThatCode(() -> SluiceRules.domainEventsStayInside(SAMPLE + "bank..").check(bank))
        .doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(strings = {"nothing..", "bank", "shop.."})
  void aContextWithoutDomainEventsIsRefused(String context) {
    assertThatThrownBy(() -> SluiceRules.domainEventsStayInside(SAMPLE + context).check(all))
        .hasMessageContaining("no domain event in '" + SAMPLE + context + "'")
        .hasMessageContaining("'..'");
  }

  @Test
  void noClassesAtAllAreRefused() {
    assertThatThrownBy(
            () -> SluiceRules.domainEventsStayInside(SAMPLE + "bank..").check(classes("nothing")))
        .hasMessageContaining("import");
  }

  @Test
  void aRuleThatIsCheckedTwiceLooksTwice() {
    ArchRule rule = SluiceRules.domainEventsStayInside(SAMPLE + "bank..");
    assertThat(rule.evaluate(bank).hasViolation()).isFalse();
    assertThat(rule.evaluate(classes("shop")).hasViolation()).isTrue();
    assertThat(rule.evaluate(bank).hasViolation()).isFalse();
  }

  @Test
  void anIntegrationEventThatRefersToTheDomainIsNamed() {
    ArchRule rule = SluiceRules.integrationEventsReferToNoDomainType(SAMPLE + "bank.account..");
    assertThatThrownBy(() -> rule.check(bank)).hasMessageContaining("Leaking");
    assertThatCode(() -> rule.check(classes("bank.account", "bank.published")))
        .doesNotThrowAnyException();
  }

  @Test
  void aDomainWithoutClassesIsRefused() {
    assertThatThrownBy(
            () ->
                SluiceRules.integrationEventsReferToNoDomainType(
                        SAMPLE + "bank.account..", SAMPLE + "ban")
                    .check(classes("bank.account", "bank.published")))
        .hasMessageContaining("no class in '" + SAMPLE + "ban'")
        .hasMessageNotContaining("no class in '" + SAMPLE + "bank.account..'");
  }

  @Test
  void aPublishedLanguageWithoutEventsIsRefused() {
    assertThatThrownBy(
            () ->
                SluiceRules.integrationEventsReferToNoDomainType(SAMPLE + "bank.account..")
                    .check(classes("bank.account")))
        .hasMessageContaining("no integration event");
  }

  private static JavaClasses classes(String... parts) {
    String[] packages = new String[parts.length];
    for (int i = 0; i < parts.length; i++) {
      packages[i] = (SAMPLE + parts[i]).replaceAll("\\.$", "");
    }
    return new ClassFileImporter().importPackages(packages);
  }
}
