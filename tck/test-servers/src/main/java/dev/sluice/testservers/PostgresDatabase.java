package dev.sluice.testservers;

import javax.sql.DataSource;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * A database of its own on a PostgreSQL server.
 *
 * @param url the JDBC URL, without credentials
 */
public record PostgresDatabase(String url, String user, String password) {

  /** Opens a new connection on each call; pool it where that matters. */
  public DataSource dataSource() {
    PGSimpleDataSource source = new PGSimpleDataSource();
    source.setUrl(url);
    source.setUser(user);
    source.setPassword(password);
    return source;
  }

  /** The same database, reached through a proxy that can break. */
  public PostgresDatabase through(FlakyProxy proxy) {
    return new PostgresDatabase(
        url.replaceFirst("//[^/]+/", "//localhost:" + proxy.port() + "/"), user, password);
  }

  @Override
  public String toString() {
    return url + " as " + user;
  }
}
