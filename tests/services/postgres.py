"""PostgreSQL: MCU_TEST_POSTGRES, or a cluster of our own made with Debian's initdb in a temporary folder."""
