package dev.sluice.core.event;

/**
 * Marks a fact of this bounded context. Domain events are private: they are stored, and the
 * aggregate is rebuilt from them, but only integration events made by a translator ever leave.
 */
public interface DomainEvent {}
