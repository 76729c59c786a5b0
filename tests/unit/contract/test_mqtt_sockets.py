"""A stopped MQTT client keeps no file open."""

import socket

import paho.mqtt.client as mqtt

from contract.mqtt import BrokerOptions, make_client, stop_network_thread


def test_a_stopped_client_keeps_no_socket_open() -> None:
    client = make_client(mqtt.Client, BrokerOptions(port=9), "ridge-07", keep_session=False)
    client.connect_async("127.0.0.1", 9)
    client.loop_start()
    pair = [client._sockpairR, client._sockpairW]
    assert all(isinstance(one, socket.socket) and one.fileno() >= 0 for one in pair)
    stop_network_thread(client)
    assert [one.fileno() for one in pair if one is not None] == [-1, -1]
