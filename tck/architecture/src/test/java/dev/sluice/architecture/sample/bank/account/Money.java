package dev.sluice.architecture.sample.bank.account;

/** A type of the bank's domain. */
public record Money(long cents) {}
