package dev.sluice.adapter.mongo;

import com.mongodb.ReadConcern;
import com.mongodb.ReadConcernLevel;
import com.mongodb.WriteConcern;
import java.util.ArrayList;
import java.util.List;

/** How writes are acknowledged and how sure reads are, and what is lost by that. */
record Concerns(WriteConcern write, ReadConcern read) {

  /**
   * A majority that says nothing of the journal means the journal, on a replica set by a setting
   * that can be changed and on a standalone by the server's own rule; said aloud here, so that
   * neither decides.
   */
  Concerns {
    if ("majority".equals(write.getWObject()) && write.getJournal() == null) {
      write = write.withJournal(true);
    }
  }

  /** What is given up on a server of this kind, each with the guarantee's number; or nothing. */
  List<String> losses(boolean replicaSet) {
    List<String> losses = new ArrayList<>();
    boolean majorityWrites = hasMajorityWrites();
    boolean majorityReads = hasMajorityReads();
    if (replicaSet && !majorityWrites) {
      losses.add(
          "write concern "
              + write.asDocument()
              + ": a new primary can lack appends that were acknowledged (S1), so that"
              + " later ones leave a gap in their stream (S2), and positions that were read can"
              + " appear again with other events (G2)");
    }
    if (replicaSet && !majorityWrites && majorityReads) {
      losses.add(
          "write concern "
              + write.asDocument()
              + " below read concern "
              + read.asDocument()
              + ": a read can lack what was acknowledged just before (S7), and a conflict (S4) or a"
              + " repeated append (S6) can end as unavailable until a majority has it");
    }
    if (!Boolean.TRUE.equals(write.getJournal())) {
      losses.add(
          "write concern "
              + write.asDocument()
              + ": not journaled, a server that dies can lose appends that were acknowledged (S1)"
              + (replicaSet ? "" : " or read, and use their positions again (G2)")
              + "; an append behind one of them leaves a gap in its stream (S2)");
    }
    if (replicaSet && !majorityReads) {
      losses.add(
          "read concern "
              + read.asDocument()
              + ": readers can be given events that a new primary does not have (G2), and an append"
              + " behind one of them leaves a gap in its stream (S2)");
    }
    return losses;
  }

  /** Whether what is read survives the loss of a server. */
  boolean readsLast(boolean replicaSet) {
    return replicaSet && hasMajorityReads();
  }

  /** Whether what is acknowledged does. */
  boolean writesLast(boolean replicaSet) {
    return Boolean.TRUE.equals(write.getJournal()) && (!replicaSet || hasMajorityWrites());
  }

  private boolean hasMajorityWrites() {
    return "majority".equals(write.getWObject());
  }

  private boolean hasMajorityReads() {
    return read.getLevel() == ReadConcernLevel.MAJORITY
        || read.getLevel() == ReadConcernLevel.LINEARIZABLE;
  }

  @Override
  public String toString() {
    return "write " + write.asDocument() + ", read " + read.asDocument();
  }
}
