"""Elasticsearch 8: MCU_TEST_ELASTICSEARCH, or the node in ../shared/elasticsearch in a temporary folder."""
