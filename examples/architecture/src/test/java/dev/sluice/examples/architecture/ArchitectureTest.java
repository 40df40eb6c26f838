package dev.sluice.examples.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.lang.EvaluationResult;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The arrows between the rooms of the whole product. Each rule holds for the product, and is shown
 * to notice a class that was planted to break it: those whose packages end with {@code planted}.
 */
class ArchitectureTest {

  /** At least so many classes of each room must have been seen, or the rules say nothing. */
  private static final Map<String, Integer> ROOMS =
      Map.of(
          "dev.sluice.core", 40,
          "dev.sluice.adapter.inmemory", 5,
          "dev.sluice.adapter.jdbc", 15,
          "dev.sluice.adapter.mongo", 10,
          "dev.sluice.publisher", 15,
          "dev.sluice.tck", 5,
          "dev.sluice.examples.bank", 10,
          "dev.sluice.examples.fraud", 2);

  private static JavaClasses product;
  private static JavaClasses productAndPlanted;

  @BeforeAll
  static void importClasses() {
    product =
        new ClassFileImporter()
            .withImportOption(new DoNotIncludeTests())
            .importPackages("dev.sluice");
    productAndPlanted = new ClassFileImporter().importPackages("dev.sluice");
  }

  @Test
  void every_room_was_seen() {
    ROOMS.forEach(
        (room, least) ->
            assertThat(product.stream().filter(type -> isIn(type, room)).count())
                .as("classes in %s", room)
                .isGreaterThanOrEqualTo(least));
    assertThat(product).noneMatch(type -> type.getPackageName().endsWith(".planted"));
  }

  @ParameterizedTest
  @EnumSource(Rules.class)
  void holds(Rules rule) {
    rule.rule().check(product);
  }

  @ParameterizedTest
  @EnumSource(Rules.class)
  void notices_the_class_that_was_planted_to_break_it(Rules rule) {
    EvaluationResult result = rule.rule().evaluate(productAndPlanted);
    assertThat(result.getFailureReport().getDetails())
        .isNotEmpty()
        .allMatch(violation -> violation.contains(".planted."));
  }

  private static boolean isIn(JavaClass type, String room) {
    return type.getPackageName().equals(room) || type.getPackageName().startsWith(room + ".");
  }
}
