"""A real MQTT broker in a thread of this process."""

import asyncio
import json
import socket
import threading

PATIENCE = 10.0  # seconds that a test waits for what has to come
TURNS = 50  # of the broker's loop, in which a message passes from one of its tasks to the next


class Broker:
    """A broker on this machine that knows the user `me`. It can be stopped, and started again on the same port."""

    def __init__(self, folder, listener):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._passwords = folder / "passwords"
        self.set_password("secret-word")
        self._config = {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"} | listener},
            "plugins": {
                "amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(self._passwords)},
                "amqtt.plugins.topic_checking.TopicTabooPlugin": {},
            },
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()
        scheme = "mqtts" if listener else "mqtt"
        self.url = f"{scheme}://me:secret-word@localhost:{self.port}"

    def set_password(self, word):
        """Of `me`; it is read at the start."""
        from pwdlib.hashers.argon2 import Argon2Hasher

        self._passwords.write_text(f"me:{Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash(word)}\n")

    def start(self):
        self._run(self._start())

    async def _start(self):
        from amqtt.broker import Broker

        self._broker = Broker(self._config)
        await self._broker.start()

    def stop(self):
        """Unless it has been stopped."""
        if self._broker is not None:
            self._run(self._stop())
            self._broker = None

    async def _stop(self):
        # Where a packet comes at the very moment in which amqtt ends a reader, Python 3.11 forgets to end it.
        await asyncio.sleep(0.05)
        await self._broker.shutdown()

    def freeze(self, thawed):
        """Do nothing at all until an event is set."""
        self._loop.call_soon_threadsafe(thawed.wait)

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def publish(self, *messages, qos=1, retain=False):
        """Publish (topic, payload) as a device would, and wait until the broker has them all."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2, "device")
        client.username_pw_set("me", "secret-word")
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        for topic, payload in messages:
            text = payload if isinstance(payload, str | bytes) else json.dumps(payload)
            client.publish(topic, text, qos, retain).wait_for_publish(PATIENCE)
        self._run(self._pass_on())
        client.disconnect()
        client.loop_stop()

    async def _pass_on(self):
        # amqtt forgets what a device sent, and was told to have arrived, if it goes before that has been passed on.
        session, _ = self._broker.sessions.get("device", (None, None))
        for _ in range(TURNS):
            while session is not None and not session.delivered_message_queue.empty():
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)
