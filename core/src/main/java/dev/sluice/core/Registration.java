package dev.sluice.core;

/** Something that stays in force until it is closed. Closing twice does nothing. */
public interface Registration extends AutoCloseable {

  @Override
  void close();
}
