package dev.sluice.core.aggregate;

import dev.sluice.core.event.Metadata;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;

/**
 * What may be said with a command.
 *
 * @param metadata stored with each event of the command
 * @param unchangedSince the version that the caller has seen: the command is refused with a {@code
 *     VersionConflictException} if the aggregate has changed since
 * @param commandId makes the command idempotent: the ids of its events are derived from it, and a
 *     command whose events are stored already is not decided again
 */
public record CommandOptions(
    Metadata metadata, OptionalLong unchangedSince, Optional<UUID> commandId) {

  /** No metadata, any version, not idempotent. */
  public static final CommandOptions DEFAULT =
      new CommandOptions(Metadata.EMPTY, OptionalLong.empty(), Optional.empty());

  /** A copy with this metadata. */
  public CommandOptions withMetadata(Metadata metadata) {
    return new CommandOptions(metadata, unchangedSince, commandId);
  }

  /** A copy that is refused if the aggregate is not at this version. */
  public CommandOptions ifUnchangedSince(long version) {
    return new CommandOptions(metadata, OptionalLong.of(version), commandId);
  }

  /** A copy that is idempotent by this id. */
  public CommandOptions withCommandId(UUID commandId) {
    return new CommandOptions(metadata, unchangedSince, Optional.of(commandId));
  }
}
