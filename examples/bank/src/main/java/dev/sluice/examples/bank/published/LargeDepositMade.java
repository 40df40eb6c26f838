package dev.sluice.examples.bank.published;

import dev.sluice.core.EventType;
import dev.sluice.core.outbox.IntegrationEvent;

/**
 * Somebody brought a lot of money.
 *
 * @param amountCents hundredths of the currency
 * @param currency three letters, ISO 4217
 */
@EventType("bank.large-deposit-made")
public record LargeDepositMade(String account, long amountCents, String currency)
    implements IntegrationEvent {}
