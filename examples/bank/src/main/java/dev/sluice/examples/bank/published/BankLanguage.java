package dev.sluice.examples.bank.published;

import dev.sluice.core.EventTypes;
import dev.sluice.core.outbox.IntegrationEvent;
import dev.sluice.core.serialization.Serializer;
import dev.sluice.core.translation.Outgoing;
import dev.sluice.core.translation.Translation;
import dev.sluice.core.translation.Translator;
import dev.sluice.examples.bank.account.AccountEvent;
import dev.sluice.examples.bank.account.Money;
import java.util.List;

/** What the bank tells the world: large deposits, and nothing of who made them or why. */
public final class BankLanguage {

  /** All that the bank ever publishes. */
  public static final EventTypes<IntegrationEvent> TYPES = EventTypes.of(LargeDepositMade.class);

  private static final Money LARGE = Money.chf(10_000);

  private BankLanguage() {}

  /** The bank's sluice. */
  public static Translation translation(Serializer serializer) {
    Translator translator =
        Translator.builder()
            .many(
                AccountEvent.Deposited.class,
                (deposited, source) ->
                    deposited.amount().compareTo(LARGE) < 0
                        ? List.of()
                        : List.of(
                            Outgoing.of(
                                new LargeDepositMade(
                                    source.stream().id(), deposited.amount().cents(), "CHF"))))
            .build();
    return Translation.of(translator, TYPES, serializer);
  }
}
